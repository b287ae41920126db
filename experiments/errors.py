"""The one error that users see: where, what, what was expected, and the fix, in one line."""

from __future__ import annotations

import os
from pathlib import Path


class UserError(Exception):
    """A mistake that the user can mend.

    Its text is one line such as `experiments/study.toml:41: arm 'deep' has depth 0. Expected 1 to 64. Fix the value.`
    The command line prints it and exits with status 2; a traceback comes only with `--debug`.
    """


def shown(path: Path | str) -> str:
    """`path` as a user would type it: relative to the current folder where it lies below it."""
    path = os.path.abspath(path)
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
