"""The end of `make check`: what the locks install, held against the vulnerabilities that osv.dev knows; by network."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

LOCK = Path(__file__).parent.parent / "requirements-dev.lock"  # has all of requirements.lock too
SERVICE = "https://api.osv.dev/v1/query"


def audit(lock: Path = LOCK, service: str = SERVICE) -> tuple[int, str]:
    """Exit status and what to say: 1 where a vulnerability is known, 0 where none is, or where nobody answers."""
    asked = ("--requirement", str(lock), "--disable-pip", "--vulnerability-service", "osv", "--osv-url", service)
    command = [sys.executable, "-m", "pip_audit", *asked, "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        reason = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        return 0, f"Vulnerabilities: not checked. {service} cannot be asked: {textwrap.shorten(reason, 90)}"
    known = [(package, one) for package in packages for one in package.get("vulns", ())]
    if not known:
        return 0, f"Vulnerabilities: none known in {len(packages)} packages."
    lines = [
        f"{package['name']} {package['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'none'}"
        for package, one in known
    ]
    return 1, "\n".join([*lines, "Vulnerabilities are known. Take newer versions: make lock UPGRADE=1"])


if __name__ == "__main__":
    status, told = audit()
    print(told, file=sys.stderr if status else sys.stdout)
    sys.exit(status)
