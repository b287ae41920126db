"""Checks a site's ro-crate-metadata.json and runs.csv-metadata.json; prints what is wrong with each as JSON.

`make audit` runs it with the packages of requirements/audit.txt: python tests/validators.py site

The validator of RO-Crate brings its profiles along, and fetches one thing, the JSON-LD context of RO-Crate 1.1. Here
nothing is fetched: the context is the one that the package rocrate carries, and any other request is an error.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import csvw
import requests
from rocrate_validator import services
from rocrate_validator.models import ValidationSettings

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
CARRIED = Path(str(metadata.distribution("rocrate").locate_file("rocrate/data/ro-crate.jsonld")))
PROFILE = "process-run-crate"


class Carried(requests.adapters.BaseAdapter):
    """Answers in place of the network."""

    def send(self, request: requests.PreparedRequest, **_: object) -> requests.Response:
        if request.url != CONTEXT:
            raise requests.ConnectionError(f"{request.url}: not fetched, since the audit needs no network")
        response = requests.Response()
        response.status_code, response.url, response.request = 200, request.url, request
        response.headers["Content-Type"] = "application/ld+json"
        response._content = CARRIED.read_bytes()
        return response

    def close(self) -> None:
        """There is nothing to close."""


def crate_faults(site: Path) -> list[str]:
    requests.Session.get_adapter = lambda self, url: Carried()
    settings = ValidationSettings(rocrate_uri=str(site), profile_identifier=PROFILE, no_cache=True)
    result = services.validate(settings)
    faults = [f"{issue.check.identifier}: {issue.message}" for issue in result.get_issues()]
    return faults or ([] if result.passed() else ["not accepted"])


def table_faults(path: Path) -> list[str]:
    try:
        table = csvw.CSVW(str(path), validate=True)
        faults = [str(warning.message) for warning in table.warnings]
        return faults or ([] if table.is_valid else ["not valid"])
    except ValueError as error:
        return [str(error)]


def main(site: Path) -> None:
    names = [f"{name} {metadata.version(name)}" for name in ("roc-validator", "csvw")]
    faults = crate_faults(site), table_faults(site / "data" / "runs.csv-metadata.json")
    print(json.dumps(dict(zip(names, faults, strict=True))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
