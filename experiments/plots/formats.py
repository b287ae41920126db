"""How numbers are written, in one place for the page's templates and for the figures. Light: no matplotlib.

The page sets a thin space before a percent sign. Figures set an ordinary one (`plain_percent`): fonts of whoever opens
an SVG may lack the thin one. Where a number was not measured, `missing` says what to write: words in a sentence, a
dash in a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

NARROW = "\u202f"  # a thin space that does not break
DASH = "–"
NOT_MEASURED = "not measured"
MAX_VALUES = 20  # that `listed` writes out; of more, the first and the last


def percent(fraction: float, digits: int = 2, space: str = NARROW) -> str:
    """0.9714 → 97.14 %"""
    return f"{100 * fraction:.{digits}f}{space}%".replace("-", "−")


def plain_percent(fraction: float | None, digits: int = 2) -> str:
    """0.9714 → 97.14 %, with an ordinary space; None → –"""
    return DASH if fraction is None else percent(fraction, digits, " ")


def points(difference: float, digits: int = 2, signed: bool = True) -> str:
    """A difference of two fractions in percentage points: 0.0031 → +0.31"""
    text = f"{100 * difference:+.{digits}f}" if signed else f"{100 * difference:.{digits}f}"
    return text.replace("-", "−")


def p_value(p: float) -> str:
    """0.00195 → 0.002; below 0.001: < 0.001"""
    return f"{p:.3f}" if p >= 0.001 else f"<{NARROW}0.001"


def signed(number: float) -> str:
    """A target or another plain number with a true minus: -0.5 → −0.5"""
    return f"{number:g}".replace("-", "−")


def decimal(value: float | None, digits: int, missing: str = DASH) -> str:
    """A number with so many decimal places and a true minus: -0.5, 2 → −0.50; None → –"""
    return missing if value is None else f"{value:.{digits}f}".replace("-", "−")


def setting(value: float | str) -> str:
    """A setting of a run in words: −0.5, mean squared error."""
    if isinstance(value, str):
        return value.replace("_", " ") or "none"
    return signed(value) if value < 1000 else thousands(int(value))


def listed(values: Sequence[float | str]) -> str:
    """Settings in order: 0.001, 0.003; of many, the first and the last."""
    if len(values) <= MAX_VALUES:
        return ", ".join(map(setting, values))
    return f"{len(values):,} values from {setting(values[0])} to {setting(values[-1])}"


def share(fraction: float | None, digits: int = 1) -> str:
    """0.0123 → 1.2 %; None → not measured"""
    return NOT_MEASURED if fraction is None else percent(fraction, digits)


def estimate(fraction: float, space: str = NARROW) -> str:
    """An estimated share in whole per cent, never as certain: 0.97 → 97; 1 → > 99; 0 → < 1"""
    whole = round(100 * fraction)
    return f">{space}99" if whole == 100 else str(whole) if whole else f"<{space}1"


def ratio(value: float | None, missing: str = NOT_MEASURED) -> str:
    """A positive ratio in two digits, a small one as a fraction: 0.81, 1/43,000; None or 0 → not measured"""
    if not value:
        return missing
    return f"{value:.2g}" if value >= 0.01 else f"1/{float(f'{1 / value:.2g}'):,.0f}"


def measure(value: float | None) -> str:
    """A number of any size to three digits: 0.01137 → 0.0114; None → not measured"""
    return NOT_MEASURED if value is None else f"{value:.3g}".replace("-", "−")


def thousands(number: int) -> str:
    """60000 → 60,000"""
    return f"{number:,}"


def count(number: int) -> str:
    """A small number in words: 3 → three"""
    words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    return words[number] if 0 <= number < len(words) else f"{number:,}"


def in_unit(value: float | None, unit: str, finer: int = 0) -> str:
    """Evidence as text in its unit: 0.0089 points → +0.89 points; with `finer`, so many digits more."""
    digits = 3 + finer
    if value is None:
        return NOT_MEASURED
    match unit:
        case "yes":
            return "yes" if value else "no"
        case "points":
            rounded = round(100 * value, digits - 1) or 0.0  # not −0
            text = f"{rounded:{'+' if rounded else ''}.{digits - 1}f} points"
        case "percent":
            text = f"{_plain(100 * value, digits)}{NARROW}%"
        case "times":
            text = f"{_plain(value, digits)}{NARROW}×"
        case "p":
            text = f"{value:.{digits}f}" if value >= 10**-digits else f"<{NARROW}{10**-digits:.{digits}f}"
        case _:
            text = _plain(value, digits)
    return text.replace("-", "−")


def _plain(value: float, digits: int) -> str:
    """So many significant digits, never with an exponent."""
    return f"{Decimal(f'{value:.{digits}g}'):f}"


FILTERS = {  # of the page's templates, by name
    function.__name__: function
    for function in (
        percent,
        points,
        p_value,
        signed,
        setting,
        listed,
        share,
        estimate,
        ratio,
        measure,
        thousands,
        count,
        in_unit,
    )
}
