"""The end of `make check`: what the locks install, held against the vulnerabilities that the package registry knows."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

LOCK = Path(__file__).parent.parent / "requirements" / "dev.txt"  # has all that the other locks have


def audit(lock: Path = LOCK, service: str = "") -> tuple[int, str]:
    """Exit status and what to say: 1 where a vulnerability is known, 0 where none is, or where nobody answers.

    Asks the package registry, or the `service` at an address that speaks the protocol of OSV.
    """
    asked = ("--vulnerability-service", "osv", "--osv-url", service) if service else ()
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", *asked]
    command += ["--format", "json", "--progress-spinner", "off"]
    result = subprocess.run(command, capture_output=True, text=True)
    return verdict(result.stdout, result.stderr, service or "The package registry")


def verdict(answer: str, errors: str, service: str) -> tuple[int, str]:
    """What follows from what pip-audit said."""
    try:
        packages = json.loads(answer)["dependencies"]
    except ValueError:
        reason = (errors.strip().splitlines() or ["no answer"])[-1]
        return 0, f"Vulnerabilities: not checked. {service} cannot be asked: {textwrap.shorten(reason, 90)}"
    skipped = sum("skip_reason" in package for package in packages)  # what a service does not know, pip-audit lets pass
    if skipped == len(packages):
        return 0, f"Vulnerabilities: not checked. {service} knows none of the {skipped} packages."
    known = [(package, one) for package in packages for one in package.get("vulns", ())]
    if not known:
        told = f" {skipped} more could not be looked up." if skipped else ""
        return 0, f"Vulnerabilities: none known in {len(packages) - skipped} packages.{told}"
    lines = [
        f"{package['name']} {package['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'none'}"
        for package, one in known
    ]
    return 1, "\n".join([*lines, "Vulnerabilities are known. Take newer versions: make lock UPGRADE=1"])


if __name__ == "__main__":
    status, told = audit()
    print(told, file=sys.stderr if status else sys.stdout)
    sys.exit(status)
