"""A cleaned drawing → the same drawing in half the bytes: marks drawn where they are, lines joined, looks shared.

A round or square mark is a line of no length with an end of that form: a third of the bytes of a shape that is used by
its id. Neighbours that look the same share a group that says so once. Paths are written in the shorter of their forms.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement

TIED = "point"  # the class of a mark that is tied to a row of the table: the page's script points at it
POINT = 0.01  # the length of a line of no length: some browsers draw none that has none at all
OF_ONE = {
    *("d", "x", "y", "cx", "cy", "r", "transform", "id", "href", "opacity"),
    *("data-row", "data-state", "data-part", "data-box"),
}

LINE = {"d", "class", "stroke-width", "stroke-linecap", "stroke-dasharray"}  # of lines that can be one path


def compact(root: Element, stroke_width: float) -> None:
    """Rewrites the drawing. `stroke_width`: of all lines that say nothing else."""
    _place_marks(root, stroke_width)
    for parent in list(root.iter()):
        children = _spelled(_grid_first(list(parent)))
        runs = [list(run) for _, run in groupby(children, key=lambda child: (child.tag, _look(child)))]
        parent[:] = [element for run in runs for element in _grouped(_joined(run))]
    for path in root.iter("path"):
        path.set("d", written(steps(path.attrib["d"])))


def _look(element: Element) -> dict[str, str]:
    """The attributes that a group can say for all in it."""
    return {key: value for key, value in element.attrib.items() if key not in OF_ONE}


def _grid_first(children: Sequence[Element]) -> list[Element]:
    """The lines of a grid before the labels that they alternate with, so that they can be joined."""

    def is_tick(child: Element) -> bool:
        return child.tag == "text" or (child.tag == "path" and child.get("class") == "s-grid")

    runs = [(ticks, list(run)) for ticks, run in groupby(children, key=is_tick)]
    return [
        child for ticks, run in runs for child in (sorted(run, key=lambda child: child.tag == "text") if ticks else run)
    ]


def _spelled(children: Sequence[Element]) -> list[Element]:
    """One text instead of single letters beside each other on a line, each at its place."""

    def line(child: Element) -> object:
        return child.tag == "text" and len(child.text or "") == 1 and (child.get("y"), child.get("text-anchor"))

    runs = [(of_letters, list(run)) for of_letters, run in groupby(children, key=line)]
    return [text for letters, run in runs for text in (_one_text(run) if letters and len(run) > 1 else run)]


def _one_text(letters: list[Element]) -> list[Element]:
    """The text of these letters; one that looks otherwise than the first is a part of its own."""
    first = letters[0]
    first.set("x", " ".join(letter.get("x", "0") for letter in letters))
    for letter in letters[1:]:
        if letter.get("class") != first.get("class"):
            look = letter.get("class", "")
            own = look if "f-" in look else f"{look} f-ink".strip()  # else it would have the first one's colour
            SubElement(first, "tspan", {"class": own}).text = letter.text
        elif len(first):
            first[-1].tail = (first[-1].tail or "") + (letter.text or "")
        else:
            first.text = (first.text or "") + (letter.text or "")
    return [first]


def _joined(run: list[Element]) -> list[Element]:
    """One path instead of several lines, but where they are tied to rows, or transparent, so that crossings show."""
    first = run[0]
    is_line = first.tag == "path" and re.fullmatch(r"s-\w+", first.get("class", ""))
    if not is_line or any(
        element.attrib.keys() - {"d", "class", "stroke-width", "stroke-dasharray"} for element in run
    ):
        return run
    first.set("d", "".join(element.attrib["d"] for element in run))
    return [first]


def _grouped(run: list[Element]) -> list[Element]:
    """A group that says what all in it look like, if there is anything to say."""
    look = _look(run[0])
    if len(run) == 1 or not look or run[0].tag not in ("path", "circle", "text"):
        return run
    for element in run:
        element.attrib = {key: value for key, value in element.attrib.items() if key in OF_ONE}
    group = Element("g", look)
    group.extend(run)
    return [group]


# ---------------------------------------------------------------------------------------------- marks


def _place_marks(root: Element, stroke_width: float) -> None:
    """Draws every shape that is used by its id where it is used, and drops those that are drawn nowhere else."""
    shapes = {f"#{shape.get('id')}": shape for shape in root.iter() if shape.tag in ("path", "circle")}
    for use in list(root.iter("use")):
        shape = shapes.get(use.get("href", ""))
        if shape is not None:
            _draw(use, shape, stroke_width)
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag == "defs"]:
            child[:] = [shape for shape in child if f"#{shape.get('id')}" not in shapes]
            if not len(child):
                parent.remove(child)


def _draw(use: Element, shape: Element, stroke_width: float) -> None:
    """Makes of a use its shape, at its place."""
    x, y = (float(use.attrib.pop(key, "0")) for key in ("x", "y"))
    del use.attrib["href"]
    classes = [*dict.fromkeys(f"{shape.get('class', '')} {use.attrib.pop('class', '')}".split())]
    use.attrib |= {key: value for key, value in shape.attrib.items() if key not in ("id", "d", "r", "class")}
    outline = steps(shape.get("d", ""))
    use.tag = "path"
    if dot := _dot(shape, classes, float(use.get("stroke-width", stroke_width))):
        role, cap, width = dot
        opacity = use.attrib.pop("fill-opacity", None)
        use.attrib |= {"stroke-width": _number(width), "stroke-linecap": cap}
        use.attrib |= {"stroke-opacity": opacity} if opacity else {}
        use.set("d", f"M{x} {y}H{x + POINT}")
        classes = [f"s-{role}"]
    elif shape.tag == "circle":
        use.tag = "circle"
        use.attrib |= {"cx": _number(x), "cy": _number(y), "r": shape.attrib["r"]}
    else:
        use.set("d", "".join(str(step.moved(x, y)) for step in outline))
        if len(outline) == 2:  # a line has no inside
            classes = [name for name in classes if not name.startswith("f-")]
    if "data-row" in use.attrib:
        classes.append(TIED)
    use.set("class", " ".join(classes))


def _dot(shape: Element, classes: Sequence[str], stroke_width: float) -> tuple[str, str, float] | None:
    """Colour, form and width of a circle or square that is all of one colour, else None."""
    square = re.fullmatch(r"M-([\d.]+) \1H\1V-\1H-\1z", shape.get("d", ""))
    size = shape.get("r") or (square and square[1])
    filled, lined = ({name[2:] for name in classes if name.startswith(kind)} for kind in ("f-", "s-"))
    if not size or len(filled) != 1 or not lined <= filled:
        return None
    return filled.pop(), "square" if square else "round", 2 * float(size) + (stroke_width if lined else 0)


# ---------------------------------------------------------------------------------------------- paths


class Step(NamedTuple):
    """A command of a path, in capitals, with its numbers."""

    command: str
    numbers: tuple[float, ...]

    def __str__(self) -> str:
        return self.command + " ".join(f"{number:f}" for number in self.numbers)

    def moved(self, x: float, y: float) -> Step:
        offsets = {"H": (x,), "V": (y,)}.get(self.command, (x, y))
        return Step(self.command, tuple(n + offsets[k % len(offsets)] for k, n in enumerate(self.numbers)))


SIZES = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "Q": 4, "Z": 0}  # how many numbers a command takes


def steps(path: str) -> list[Step]:
    """The steps of a path whose commands are all absolute."""
    found: list[Step] = []
    for command, text in re.findall(r"([A-Za-z])([^A-Za-z]*)", path):
        command, size = command.upper(), SIZES[command.upper()]
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", text)]
        for start in range(0, max(len(numbers), 1), size or 1):
            found.append(Step(command, tuple(numbers[start : start + size])))
            command = "L" if command == "M" else command
    return found


def written(path: Sequence[Step]) -> str:
    """The path in SVG, each step in the shorter form: from the origin, or from where the last one ended."""
    text, last = "", ""
    (x, y), start = (0.0, 0.0), (0.0, 0.0)
    for command, numbers in path:
        if command == "Z":
            text, last, (x, y) = text + "z", "z", start
            continue
        from_here = Step(command, numbers).moved(-x, -y).numbers
        forms = [(command, numbers), (command.lower(), from_here)] if text else [(command, numbers)]
        pieces = [(_piece(letter, values, last), letter) for letter, values in forms]
        piece, last = min(pieces, key=lambda pair: len(pair[0]))
        text += piece
        x, y = {"H": (numbers[-1], y), "V": (x, numbers[-1])}.get(command) or numbers[-2:]
        start = (x, y) if command == "M" else start
    return text


def _piece(letter: str, numbers: Sequence[float], last: str) -> str:
    """A step in SVG; a letter that is clear from the last one is left out, and so is a blank before a minus."""
    body = "".join(text if text[0] == "-" else f" {text}" for text in map(_number, numbers)).removeprefix(" ")
    if letter == {"M": "L", "m": "l"}.get(last, last) and letter not in "Mm":
        return body if body.startswith("-") else f" {body}"
    return letter + body


def _number(value: float) -> str:
    """At most two decimals, without a 0 before the point."""
    text = f"{round(value, 2) + 0.0:g}"
    if text.startswith("0."):
        return text[1:]
    return f"-{text[2:]}" if text.startswith("-0.") else text
