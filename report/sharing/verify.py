"""A page against the evidence that it carries: everything is derived from it again, and compared.

Promised: a file that is called *identical* is, byte for byte, the page that follows from its evidence. One that is
called *saved* is, byte for byte, that page as browsers write it, before its script has changed anything. Nothing in a
file is forgiven and no file is ever parsed, so there is no second reading in which it could show something else. Only
the page that was derived here is parsed; tests compare that parser's trees and texts with Chromium's.

Not promised: a browser's "complete page" is refused. It has what the script added and what the reader did; Chromium
leaves the evidence out and changes links, Firefox breaks the lines anew. Nobody can tell that from a forgery. And a
forgery that changes the evidence too, and everything that follows from it, is not found: only running the study again
helps against that. Files beside the page are not looked at.
"""

from __future__ import annotations

import hashlib
import json
import re
import signal
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from types import FrameType
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from experiments.analysis import evidence, records, summary
from experiments.analysis.results import PageEvidence, Results
from experiments.files.errors import UserError, display_path, printable
from experiments.files.sealed import compact
from experiments.plots.figures import Figure
from experiments.study import keys
from experiments.study.model import Study
from report.claims import rules
from report.claims.model import Ledger

SECONDS = 20  # of processor time; a page of 273 runs takes 4, one of 10,000 takes 12
NETWORKS = re.compile(r'<script type="application/json" id="networks">([^<]*+)</script>')
MARK = re.compile(r'<template id="evidence">\s*+([A-Za-z0-9+/=]++)\s*+</template>')


def carried(
    content: Mapping[str, Any],
    results: Results,
    drawn: Mapping[str, Figure],
    ledger: Ledger,
    url: str,
    networks: str = "",
    version: str = "",
) -> str:
    """The evidence as the page carries it. `content`: what evidence.json holds; {} where all is from the record.

    `networks`: those that run in the page, as it carries them. `version`: as in `compose`.
    """
    claimed = rules.keys_by_arm(ledger, results["arms"])
    elsewhere = {
        name: rules.keys_by_arm(ledger, other["arms"], name) for name, other in results["replications"].items()
    }
    contrasted = {contrast[end] for contrast in results["contrasts"] for end in ("first", "second")}
    needs = {measure for figure in drawn.values() for measure in figure.measures}
    figures = {need: {arm for f in drawn.values() if need in f.measures for arm in f.arms} for need in needs}
    figure_arms = None if results["recorded"] else figures  # else the figures show the record's runs
    return evidence.pack(
        {
            "format": evidence.FORMAT,
            "url": url,
            "version": version,
            "measuring": bool(results["dataset"].get("measuring")),
            "networks": digest(networks),
            **{key: content.get(key) for key in ("quick", "source", "record", "arms", "expected")},
            "not_replicated": content.get("not_replicated", {}),
            "runs": [
                evidence.select_for_page(observation, contrasted, figure_arms, claimed.get(observation["arm"], ()))
                for observation in content.get("runs", [])
            ],
            "replications": {
                name: [
                    evidence.select_for_page(
                        observation,
                        contrasted,
                        {} if name in records.KEPT else None,
                        [*claimed.get(observation["arm"], ()), *elsewhere.get(name, {}).get(observation["arm"], ())],
                    )
                    for observation in observations
                ]
                for name, observations in content.get("replications", {}).items()
            },
        }
    )


def digest(networks: str) -> str:
    """SHA-256 of the networks that run in a page; "" for none."""
    return hashlib.sha256(networks.encode()).hexdigest() if networks else ""


@dataclass(frozen=True)
class Proof:
    """What a page carries. text: as it stands there; evidence: the same, unpacked; url: where the newest page is
    published; version: the name under which this one stays published, or ""; results: what follows.

    foreign_arms: those that this study doesn't have, or has otherwise, so that `results` are without them.
    """

    text: str
    evidence: PageEvidence
    url: str
    version: str
    results: Results
    foreign_arms: tuple[str, ...] = ()


def proof(html: str, load: Callable[[], Study], to_compare: bool = False) -> Proof:
    """The results that follow from the evidence in a page. Raises `UserError` where there is none, or none of ours.

    A page `to_compare` may be of an older format, of another study that has some arms of this one, or made with a
    different record, unless it shows that record's numbers.
    """
    marks = MARK.findall(html)
    if len(marks) != 1:
        raise UserError(
            f"{len(marks)} pieces of evidence in the page. Expected one, in a page that 'make report' wrote, copied or "
            "saved as 'HTML only'."
        )
    content = evidence.unpack(marks[0])
    if content["format"] != evidence.FORMAT and not (to_compare and content["format"] == evidence.FIRST_FORMAT):
        raise UserError(
            f"The page's evidence has format {content['format']}, expected {evidence.FORMAT}. Its Methods say how to "
            "cite it: check out the version that they name, and run this again."
        )
    known_record = content["record"] in (None, "", records.fingerprint())
    if not known_record and to_compare and content["source"] and not content["source"]["fallback"]:
        content["record"] = ""  # they were only compared with that record
    elif not known_record:
        raise UserError(
            "The page was made with a different record than experiments/record.json. Check out the version it was made "
            "with and run this again."
        )
    plan = load()
    plan = plan.quick() if content["quick"] else plan
    foreign_arms = _foreign_arms(content, plan) if content["source"] else {}  # else all is from the record
    if foreign_arms and not to_compare:
        name, problem = next(iter(foreign_arms.items()))
        raise UserError(
            f"The page is about another study: {display_path(plan.path)} has {problem} '{name}'. "
            "Name the folder of the article that it was made from: ARTICLE=folder"
        )
    _leave_out(content, foreign_arms)
    derived = json.loads(compact(results(content, plan)))  # as the page's were read: keys in order
    return Proof(marks[0], content, content["url"], content.get("version", ""), derived, tuple(foreign_arms))


def _foreign_arms(content: PageEvidence, plan: Study) -> dict[str, str]:
    """The arms that were observed and that the study does not have as they were, each with what it has instead."""
    lists = [content["runs"], *content["replications"].values()]
    names = dict.fromkeys(run["arm"] for runs in lists for run in runs)
    known = {arm.name for arm in plan.arms}
    changed = {name for name in names.keys() & known if _is_changed(name, content, plan)}
    return {
        name: "another arm" if name in known else "no arm" for name in names if name not in known or name in changed
    }


def _is_changed(name: str, content: PageEvidence, plan: Study) -> bool:
    """Whether an arm that the study has was configured otherwise when the page was made, as far as that shows."""
    if digest := content["arms"].get(name):
        return digest != keys.arm_digest(plan, name)
    arm = plan.arm(name)
    epochs = plan.run(arm, 0, "mnist").epochs
    return any(
        len(run["test_accuracy_by_epoch"] or range(epochs)) != epochs
        or (bool(arm.holdout) and run["images"] != arm.holdout)
        or (not arm.chosen_from and (run["learning_rate"], run["schedule"]) != (arm.learning_rate, arm.schedule))
        for run in content["runs"]
        if run["arm"] == name
    )


def _leave_out(content: PageEvidence, arms: Collection[str]) -> None:
    """Takes the runs of these arms out of the evidence."""
    content["runs"] = [run for run in content["runs"] if run["arm"] not in arms]
    for name, runs in content["replications"].items():
        content["replications"][name] = [run for run in runs if run["arm"] not in arms]


def networks(html: str, proof: Proof, recorded: str) -> str | None:
    """The networks that a page carries, or those `recorded` where it shows the record; "" for none.

    None where they are not those whose digest is in its evidence.
    """
    found = NETWORKS.findall(html)
    text = recorded if proof.results["recorded"] else "".join(found[:1])
    expected = proof.evidence.get("networks", "")
    return (text if expected else "") if len(found) == bool(expected) and expected in ("", digest(text)) else None


@contextmanager
def foreign(seconds: float | None = None) -> Iterator[None]:
    """Limits the time, and turns any failure on somebody else's evidence into one `UserError`.

    `seconds`: of processor time that it may take; SECONDS where it is None.
    """
    seconds = SECONDS if seconds is None else seconds
    if not 0 < seconds <= 1e6:
        raise UserError(f"PATIENCE is {seconds:g}. Expected a number of seconds, such as {SECONDS}.")

    def stop(number: int, frame: FrameType | None) -> None:
        raise UserError(
            f"Rebuilding the page from its evidence took more than {seconds:g} s of processor time. "
            f"If you trust its sender, allow more: make verify PATIENCE={10 * seconds:g}."
        )

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, 1)  # again each second: code in between may catch the error
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # whatever is raised over numbers that no run ever had; exit 0 is no proof
        raise UserError(
            f"Nothing follows from the evidence in the page: {type(error).__name__}: {error}. "
            "If it is about another article, name its folder: ARTICLE=folder. Else get the page again from where it "
            "was, or add --debug to see where it fails."
        ) from error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def results(content: PageEvidence, plan: Study) -> Results:
    if content["source"] is None:
        recorded = records.read()
        if recorded is None:
            raise UserError("The page shows the record, and experiments/record.json is missing. Restore it.")
        return records.results_of_record(
            recorded, records.MEASURING if content.get("measuring") else records.NOTHING_MEASURED
        )
    return summary.assemble(plan, content)


# ---------------------------------------------------------------------------------------------- the comparison


class Result(IntEnum):
    """What a file is, compared with the page that follows from its evidence; the exit status that says so."""

    IDENTICAL = 0
    CHANGED = 1
    SAVED = 3


def judge(file: str, derived: str) -> Result:
    """`file`: any text whatever. `derived`: the page that follows from the evidence in it."""
    if file == derived:
        return Result.IDENTICAL
    return Result.SAVED if file in saved_forms(derived) else Result.CHANGED


def saved_forms(derived: str) -> tuple[str, ...]:
    """The texts that browsers make of the page, before its script has changed anything.

    The first is the whole document in HTML's standard serialisation, the second what the page's own button saves: its
    script runs before the blank lines at the end have been read. None where that text would be read as another page.
    """
    document = serialised(derived)
    if serialised(document) != document:
        return ()
    root = document.removeprefix("<!DOCTYPE html>")
    return document, "<!doctype html>\n" + re.sub(r"\s+(?=</body></html>$)", "", root)


def serialised(html: str) -> str:
    return LexborHTMLParser(html).html or ""


# ---------------------------------------------------------------------------------------------- what differs

TOKEN = re.compile(r"<[^<>]*+>|[^<>]++|[<>]")  # to show and to align differences; no result depends on it
PLACE = re.compile(r"""<(?:section|figure|div|tr|template)\b[^<>]*?\bid="([^"]*)\"""")  # says where something is
WINDOW = 20_000  # characters that are searched for where two texts meet again
RUN = 3  # tokens that must agree there
CONTEXT = 30  # characters shown on each side of a difference


@dataclass(frozen=True)
class Difference:
    """In or below the element with the id `place`, the file has `shown`; its evidence gives `derived`."""

    place: str
    shown: str
    derived: str

    def __str__(self) -> str:
        texts = [" ".join(text.split()) or text for text in (self.shown, self.derived)]
        if texts[0] == texts[1]:  # nothing but white space differs, so show that
            texts = [self.shown, self.derived]
        first = _common(*texts)
        shown, derived = (_around(text, first) for text in texts)
        signs = [text[first : first + 1] for text in texts]
        alike = all(signs) and not "".join(signs).isascii()  # they may look the same
        codes = " (U+{:04X}, not U+{:04X})".format(*map(ord, signs)) if alike else ""
        return f"at #{printable(self.place)}: the page has {shown}, its evidence gives {derived}{codes}"


def _around(text: str, place: int) -> str:
    """The words around a place in `text`."""
    start, end = max(0, place - CONTEXT), place + CONTEXT
    return f"“{'… ' if start else ''}{printable(text[start:end])}{' …' if text[end:] else ''}”" if text else "nothing"


def differences(file: str, derived: str) -> Iterator[Difference]:
    """Where a file that is not the page differs from it, or from its saved form if that is nearer, in order.

    Only an explanation, for the reader: each step looks at WINDOW characters, and where the two texts don't meet again
    within them, the rest is one difference.
    """
    lines = set(file.splitlines())
    derived = max((derived, *saved_forms(derived)), key=lambda form: len(lines.intersection(form.splitlines())))
    place = "top"
    while file != derived:
        same = _common(file, derived)
        begun = max(file.rfind("<", 0, same), file.rfind(">", 0, same) + 1)  # the tag or text in which they part
        start = max(begun, same - WINDOW // 2)
        shown, expected = (TOKEN.findall(text, start, start + WINDOW) for text in (file, derived))
        meeting = _meeting(shown, expected)
        if meeting:
            shown, expected = shown[: meeting[0]], expected[: meeting[1]]
        place = _place(derived[: start + sum(map(len, expected[:1]))], place)
        difference = Difference(place, "".join(shown), "".join(expected))
        yield difference
        if not meeting:
            return
        file, rest = file[start + len(difference.shown) :], start + len(difference.derived)
        place, derived = _place(derived[:rest], place), derived[rest:]


def _place(passed: str, before: str) -> str:
    """The last place that is named in the text `passed`."""
    return str((PLACE.findall(passed) or [before])[-1])


def _common(first: str, second: str) -> int:
    """How many characters two texts begin with that are the same."""
    same, end = 0, min(len(first), len(second))
    while same < end:  # by halves: comparing slices is fast
        middle = (same + end + 1) // 2
        same, end = (middle, end) if first[same:middle] == second[same:middle] else (same, middle - 1)
    return same


def _meeting(first: Sequence[str], second: Sequence[str]) -> tuple[int, int] | None:
    """The nearest places, one in each, from which RUN tokens are the same."""
    places: dict[tuple[str, ...], int] = {}
    for place in range(len(second) - RUN + 1):
        places.setdefault(tuple(second[place : place + RUN]), place)
    meetings = [
        (place, places[run])
        for place in range(len(first) - RUN + 1)
        if (run := tuple(first[place : place + RUN])) in places
    ]
    return min(meetings, key=sum, default=None)
