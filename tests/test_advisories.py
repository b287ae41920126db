"""A known vulnerability fails `make check`; a service that does not answer is said in one line and fails nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests import advisories

KNOWN = {
    "id": "PYSEC-2026-1",
    "modified": "2026-01-01T00:00:00Z",
    "summary": "It is wrong.",
    "affected": [
        {
            "package": {"name": "wrong", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}


class Service(BaseHTTPRequestHandler):
    """Answers as an OSV service does: it knows one vulnerability, of the package `wrong`."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"vulns": [KNOWN]} if asked["package"]["name"] == "wrong" else {}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = HTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    thread.join()
    server.server_close()


def lock(folder: Path, *packages: str) -> Path:
    path = folder / "requirements.lock"
    path.write_text("".join(f"{package}==1.0 --hash=sha256:{'0' * 64}\n" for package in packages))
    return path


def test_the_check_passes_when_no_vulnerability_is_known(service: str, tmp_path: Path) -> None:
    assert advisories.audit(lock(tmp_path, "right", "fine"), service) == (
        0,
        "Vulnerabilities: none known in 2 packages.",
    )


def test_a_known_vulnerability_is_named_with_the_version_that_fixes_it(service: str, tmp_path: Path) -> None:
    status, told = advisories.audit(lock(tmp_path, "right", "wrong"), service)
    assert status == 1
    assert told.splitlines()[0] == "wrong 1.0: PYSEC-2026-1, mended in 1.1"
    assert "make lock UPGRADE=1" in told


def test_an_unreachable_service_is_reported_in_one_line_and_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    status, told = advisories.audit(lock(tmp_path, "right"), "http://127.0.0.1:9/v1/query")
    assert status == 0
    assert told.startswith("Vulnerabilities: not checked. http://127.0.0.1:9/v1/query cannot be asked: ")
    assert "\n" not in told


def test_packages_unknown_to_the_service_are_not_called_safe() -> None:
    skipped = {"name": "fine", "skip_reason": "Dependency not found"}
    clean = {"name": "right", "version": "1.0", "vulns": []}
    told = [advisories.verdict(json.dumps({"dependencies": d}), "", "It") for d in ([skipped], [skipped, clean])]
    assert told == [
        (0, "Vulnerabilities: not checked. It knows none of the 1 packages."),
        (0, "Vulnerabilities: none known in 1 packages. 1 more could not be looked up."),
    ]
