"""What the user sees while runs are trained. It's read from the store, so that no worker can block another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.store.store import Entry

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

POLL_INTERVAL = 20  # times what a poll takes: polling costs at most a twentieth of a processor


class Progress:
    """Runs done, time left and the last accuracy: a bar on a terminal, a line for each run elsewhere.

    The time left follows from what is still to train, at the speed so far.
    """

    def __init__(self, missing: Sequence[Entry]):
        self.total, self.done, self.waiting = len(missing), 0, dict(enumerate(missing))
        first = {entry.folder: entry.measures_path for entry in reversed(missing)}  # readouts share one training
        self.costs = {e.measures_path: e.run.cost * (first[e.folder] == e.measures_path) for e in missing}
        self.cost, self.cost_done = sum(self.costs.values()), 0.0
        self.started = self.next_poll = time.monotonic()
        self.last = ""

    def __enter__(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        console = Console()
        self.bar: Bar | None = None
        if console.is_terminal:
            text = TextColumn("{task.description}")
            self.bar = Bar(text, BarColumn(bar_width=30), TextColumn("{task.fields[status]}"), console=console)
            self.task = self.bar.add_task("Runs", total=self.cost, status=self._status())
            self.bar.start()
        else:
            print(f"{self.total} runs to train or measure …", flush=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def poll(self, now: bool = False) -> None:
        """Counts and shows what was finished since the last poll; polls less often if that takes long."""
        if time.monotonic() < self.next_poll and not now:
            return
        began = time.monotonic()
        for number in [number for number, entry in self.waiting.items() if entry.done]:
            self.advance(self.waiting.pop(number))
        self.next_poll = time.monotonic() + POLL_INTERVAL * (time.monotonic() - began)

    def missing(self) -> set[Path]:
        """The measures that were not there at the last poll."""
        return {entry.measures_path for entry in self.waiting.values()}

    def advance(self, entry: Entry) -> None:
        """Counts and shows a finished run."""
        self.done += 1
        self.cost_done += self.costs.pop(entry.measures_path, 0.0)  # two arms may be one and the same network
        self.last = f"{entry.run.arm.name}, seed {entry.run.seed}: {entry.measures()['test_accuracy']:.2%}"
        if self.bar:
            self.bar.update(self.task, completed=self.cost_done, status=self._status())
        else:
            print(self._status(), flush=True)

    def print(self, line: str) -> None:
        """Prints a line that does not disturb the bar."""
        if self.bar:
            self.bar.console.print(line, highlight=False, markup=False)
        else:
            print(line, flush=True)

    def _status(self) -> str:
        if not self.cost_done:
            return f"{self.done}/{self.total} done, TensorFlow is starting …"
        speed = self.cost_done / (time.monotonic() - self.started)
        minutes, seconds = divmod(round((self.cost - self.cost_done) / speed), 60)
        return f"{self.done}/{self.total} done, {minutes} min {seconds:02d} s left · {self.last}"
