"""`make audit`: site/ held against the Nu HTML checker, against Lighthouse, as a phone and as a desktop computer, and
its files for programs against the validators of their formats.

The first two are Node packages, pinned by package-lock.json. Lighthouse opens no files, so that the site is served to
it, gzipped, on this machine alone. Performance is told and not required: it depends on what else the machine is doing.
The validators are Python packages, pinned by requirements/audit.txt; see `tests.validators`.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import mimetypes
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from requirements import install as environments
from tests import chromium

ROOT = Path(__file__).parent.parent
SITE = ROOT / "site"
LOCK = ROOT / "package-lock.json"
MODULES = ROOT / "node_modules"
VALIDATORS = ROOT / ".venv" / "audit"  # an environment of their own
INSTALLED = MODULES / ".package-lock.json"  # npm writes it last
CHECKER = MODULES / "vnu-jar" / "build" / "dist" / "vnu.jar"
LIGHTHOUSE = MODULES / "lighthouse" / "cli" / "index.js"
CHROMIUM_FLAGS = "--headless=new --no-sandbox --host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'"
FORMS: dict[str, tuple[str, ...]] = {"phone": (), "desktop": ("--preset=desktop",)}  # Lighthouse's settings for each
REQUIRED = ("accessibility", "best-practices", "seo")
TIMINGS = ("first-contentful-paint", "largest-contentful-paint", "total-blocking-time", "cumulative-layout-shift")


def main(arguments: list[str]) -> None:
    require_tools()
    if arguments == ["install"]:
        install()
        return
    index = SITE / "index.html"
    if not index.exists() or not INSTALLED.exists():
        stop("there is nothing to audit, or nothing to audit it with. Run 'make audit'.")
    faults = check_html(sorted(SITE.glob("*.html"))) + validate(SITE)
    with served(files(SITE)) as url:
        reports = {form: lighthouse(url, options) for form, options in FORMS.items()}
    tell(reports)
    size = len(index.read_bytes()), len(gzip.compress(index.read_bytes()))
    print(f"\nindex.html: {size[0] / 1000:.0f} kB, {size[1] / 1000:.0f} kB gzipped.")
    faults += [fault for form, report in reports.items() for fault in shortfalls(form, report)]
    print("Audit: nothing found." if not faults else "Audit: found\n  " + "\n  ".join(faults))
    sys.exit(bool(faults))


def stop(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def require_tools() -> None:
    """Ends the program where a tool is missing, with the commands that install all that are."""
    node = re.match(r"v(\d+)", version("node"))
    there = {
        ("nodejs npm", "node"): node is not None and int(node[1]) >= 18 and version("npm"),
        ("default-jre-headless", "--cask temurin"): version("java"),
        ("chromium", "--cask chromium"): chromium.PATH,
    }
    missing = [names for names, found in there.items() if not found]
    if missing:
        stop(
            "the audit needs Node 18 or newer with npm, Java 11 or newer, and Chromium. Install what is missing: "
            f"sudo apt-get install {' '.join(debian for debian, _ in missing)} (Debian, Ubuntu), or "
            f"{' && '.join(f'brew install {brew}' for _, brew in missing)} (macOS)."
        )


def version(command: str) -> str:
    """What `command --version` prints; "" where there is no such command, or one that does not work."""
    if not shutil.which(command):
        return ""
    result = subprocess.run([command, "--version"], capture_output=True, text=True)
    return result.stdout if result.returncode == 0 else ""


def install() -> None:
    """Installs the locked packages, unless they are there."""
    try:
        environments.install_apart("audit", VALIDATORS)
    except environments.Failure as failure:
        stop(str(failure))
    if INSTALLED.exists() and INSTALLED.stat().st_mtime > LOCK.stat().st_mtime:
        return
    print("Installing what the audit needs besides (about 220 MB, once) …", flush=True)
    if subprocess.run(["npm", "ci", "--silent"], cwd=ROOT).returncode:
        stop("the installation failed. With the network back, run 'make audit' again; 'npm ci' tells more.")


def check_html(pages: list[Path]) -> list[str]:
    """All that the Nu HTML checker says of the pages, a line each."""
    command = ["java", "-jar", str(CHECKER), "--format", "json", "--stdout", "--exit-zero-always", *map(str, pages)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    messages = found["messages"]
    names = ", ".join(page.name for page in pages)
    print(f"Nu HTML checker {found['version'].split()[0]}, {names}: {len(messages) or 'no'} errors or warnings\n")
    return [f"{Path(one['url']).name}:{one.get('lastLine', '?')}: {one['type']}: {one['message']}" for one in messages]


def validate(site: Path) -> list[str]:
    """What the validators of RO-Crate and of CSV on the Web say of the site, a line each."""
    program = ROOT / "tests" / "validators.py"
    done = subprocess.run([VALIDATORS / "bin" / "python", "-I", program, site], capture_output=True, text=True)
    if done.returncode:
        stop(f"the validators did not finish: {done.stderr.strip()[-500:]}")
    found = json.loads(done.stdout)
    for name, faults in found.items():
        print(f"{name}: {len(faults) or 'no'} errors or warnings\n")
    return [f"{name}: {fault}" for name, faults in found.items() for fault in faults]


def files(folder: Path) -> dict[str, tuple[str, bytes]]:
    """The files in the folder as type and gzipped content, by the address that a web server would give them."""
    found = {
        f"/{path.relative_to(folder).as_posix()}": (
            mimetypes.guess_type(path.name)[0] or "application/octet-stream",
            gzip.compress(path.read_bytes()),
        )
        for path in folder.rglob("*.*")
        if path.is_file()
    }
    return {**found, "/": found["/index.html"]}


@contextlib.contextmanager
def served(content: dict[str, tuple[str, bytes]]) -> Iterator[str]:
    """Serves `content` on this machine alone; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in content:
                self.send_error(404)
                return
            kind, body = content[self.path]
            self.send_response(200)
            self.send_header("Content-Type", kind + ("; charset=utf-8" if kind.startswith("text/") else ""))
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def lighthouse(url: str, options: tuple[str, ...]) -> dict[str, Any]:
    flags = ["--quiet", "--output=json", "--no-enable-error-reporting", f"--chrome-flags={CHROMIUM_FLAGS}", *options]
    environment = os.environ | {"CHROME_PATH": str(chromium.PATH)}
    result = subprocess.run(["node", LIGHTHOUSE, url, *flags], env=environment, capture_output=True, text=True)
    if result.returncode:
        stop(f"Lighthouse did not finish: {result.stderr.strip() or result.stdout[-500:]}")
    return json.loads(result.stdout)


def tell(reports: dict[str, dict[str, Any]]) -> None:
    """The table of scores and timings."""

    def row(label: str, values: list[str], note: str = "") -> None:
        print(f"{label:26}" + "".join(f"{value:>10}" for value in values) + note)

    one = next(iter(reports.values()))
    row(f"Lighthouse {one['lighthouseVersion']}", list(reports))
    for name in (*REQUIRED, "performance"):
        scores = [f"{100 * (report['categories'][name]['score'] or 0):.0f}" for report in reports.values()]
        row(one["categories"][name]["title"], scores, "" if name in REQUIRED else "   told, not required")
    for name in TIMINGS:
        row(one["audits"][name]["title"], [r["audits"][name].get("displayValue", "?") for r in reports.values()])


def shortfalls(form: str, report: dict[str, Any]) -> list[str]:
    """The required scores below 100, each with the audits that cost it."""
    found = []
    for name in REQUIRED:
        category = report["categories"][name]
        if category["score"] != 1:
            audits = [report["audits"][one["id"]] for one in category["auditRefs"] if one["weight"]]
            failed = ", ".join(f"{one['id']} ({one['title']})" for one in audits if one["score"] not in (1, None))
            found.append(f"Lighthouse, {form}, {category['title']}: {category['score']}: {failed}")
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
