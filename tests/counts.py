"""How often tests repeat what is random: a few times in `make test`, often in `make test-all`, which sets FULL=1.

KILLS=1000 and HOSTILE=10000 set the two counts themselves.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

FULL = bool(os.environ.get("FULL"))


def count(setting: str, few: int, many: int) -> int:
    """The count that the environment sets, or else `few`, or `many` where all counts are full."""
    return int(os.environ.get(setting) or (many if FULL else few))


def repeated(test: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a test whose count FULL raises: `make test-rest` runs it again, at its full count."""
    return pytest.mark.slow("its full count")(test) if FULL else test
