"""matplotlib's SVG → SVG for the page: a fifth of the size, text kept as text, colours by class.

Colours become classes over CSS variables, so that dark mode and print restyle a figure; styles become attributes, which
a strict Content-Security-Policy allows; numbers are rounded to a tenth of a point, far below what a screen shows.
Marks that a plot has tied to rows of its table (`rows`) carry the row's number in `data-row`. Of what a plot has named
as states (`state`), one can be shown at a time (`states`); what it has named as parts (`part`) can be laid out anew.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.etree import ElementTree

from experiments.plots import compact

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"

# What a plot draws with → the class that the page's style sheet colours. The values only tell the roles apart.
INK = "#111111"  # what text has that says nothing else
COLOURS = {
    INK: "ink",  # text and marks
    "#666666": "muted",  # axes and secondary text
    "#dddddd": "grid",
    "#fefefe": "paper",  # the background
    "#0072b2": "a",  # Okabe and Ito's palette, safe for colour-blind readers
    "#d55e00": "b",
    "#009e73": "c",
    "#cc79a7": "d",
}
FONT_SIZE = "11.2px"  # of all text that says nothing else: 12 pixels on a phone; style.css shrinks it elsewhere
STROKE_WIDTH = "0.6"  # of all lines that say nothing else
DEFAULTS = {("font-size", FONT_SIZE), ("text-anchor", "start"), ("stroke-width", STROKE_WIDTH)}
KEPT = {"fill-opacity", "stroke-opacity", "opacity", "stroke-width", "stroke-dasharray", "text-anchor", "font-size"}


def rows(*numbers: int) -> str:
    """The `gid` of something drawn, whose marks show these rows of the table, in their order; one row: all of them."""
    return "rows " + " ".join(map(str, numbers))


def state(number: int) -> str:
    """The `gid` of a subfigure that shows what row `number` of the table says, so that it can be shown alone."""
    return f"state {number}"


def part(title: str) -> str:
    """The `gid` of a subfigure that can be laid beside the others, with a title for those who hear it.

    The first part has the title and the description of the whole drawing.
    """
    return f"part {title}"


class State(NamedTuple):
    """A state of a drawing: the row of the table that says what it shows, and an SVG of it alone."""

    row: int
    svg: str


def states(drawing: str, name: str, words: Sequence[tuple[str, str]]) -> list[State]:
    """Every state in the inline drawing of figure `name`; none if it has no states.

    words: by row, the state's title and description for those who hear it.
    """
    return [
        State(int(row), _alone(root, group, f"{name}-{row}", *words[int(row)]))
        for root, group, row in _marked(drawing, "state")
    ]


def parts(drawing: str, name: str) -> list[str]:
    """An SVG of each part of the inline drawing of figure `name`, in their order; none if it has no parts."""
    return [
        _alone(root, group, name, title if number else root[0].text, "" if number else root[1].text)
        for number, (root, group, title) in enumerate(_marked(drawing, "part"))
    ]


def _marked(drawing: str, kind: str) -> Iterator[tuple[ElementTree.Element, ElementTree.Element, str]]:
    """Each group of an inline drawing that is named as a `kind`, with the drawing before it and what it is named."""
    if f" data-{kind}=" in drawing:
        root = ElementTree.fromstring(drawing)
        for group in root.findall(f"g[@data-{kind}]"):
            yield root, group, group.attrib.pop(f"data-{kind}")


def _alone(
    root: ElementTree.Element, group: ElementTree.Element, ident: str, title: str | None, description: str | None
) -> str:
    """An SVG of a group of the drawing `root` alone."""
    size = {"viewBox": group.attrib.pop("data-box"), "font-size": root.attrib["font-size"]}
    alone = ElementTree.Element("svg", size)
    _describe(alone, ident, title, description)
    alone.extend(group)
    return ElementTree.tostring(alone, encoding="unicode").replace(" />", "/>")


def clean(raw: str, name: str, title: str, description: str) -> str:
    """The SVG of figure `name`, ready to stand inline in a page, named and described for those who hear it."""
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(raw)
    for tag in ("metadata", "style", "clipPath"):  # plots draw nothing outside their axes
        _remove(root, tag)
    _tie_to_rows(root)
    _mark_tiles(root)
    used = re.findall(r"#([\w.-]+)", " ".join(v for e in root.iter() for v in e.attrib.values()))
    names = {ident: f"{name}-{number}" for number, ident in enumerate(dict.fromkeys(used))}
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{SVG}}}")
        _clean_attributes(element, names)
    _drop_empty_groups(root)
    _strip_whitespace(root)
    size = _most_common_size(root)
    compact.compact(root, float(STROKE_WIDTH))
    view_box = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib |= {"viewBox": view_box, "font-size": size}
    _describe(root, name, title, description)
    return ElementTree.tostring(root, encoding="unicode").replace(" />", "/>")


def _describe(root: ElementTree.Element, ident: str, title: str | None, description: str | None) -> None:
    """Gives an SVG its usual look, a title and, if it has one, a description, whose id begins with `ident`."""
    root.attrib.update(
        {
            "fill": "none",
            "stroke-width": STROKE_WIDTH,
            "role": "img",
        }
    )
    heard = [ElementTree.Element("title")]
    heard[0].text = title
    if description:
        root.set("aria-describedby", f"{ident}-description")
        heard.append(ElementTree.Element("desc", {"id": f"{ident}-description"}))
        heard[1].text = description
    root[:0] = heard


def standalone(inline: str) -> str:
    """A cleaned drawing as a file of its own, with the light palette written into it."""
    rules = "".join(f".f-{role}{{fill:{c}}}.s-{role}{{stroke:{c}}}" for c, role in COLOURS.items())
    text = f"text{{font-family:sans-serif;fill:{INK}}}[class*=f-]>text{{fill:inherit}}"
    style = f"{text}.strong{{font-weight:bold}}{rules}"
    head, rest = inline.split(">", 1)
    return f'{head} xmlns="{SVG}"><style>{style}</style>{rest}'


def _remove(root: ElementTree.Element, tag: str) -> None:
    for parent in root.iter():
        for child in [child for child in parent if child.tag == f"{{{SVG}}}{tag}"]:
            parent.remove(child)


def _tie_to_rows(root: ElementTree.Element) -> None:
    """Numbers the marks of every group that `rows` has named. Raises `ValueError` unless each mark has its row."""
    for group in root.iter(f"{{{SVG}}}g"):
        word, *numbers = group.get("id", "").split(" ")
        if word == "rows":
            marks = list(group.iter(f"{{{SVG}}}use")) or list(group.iter(f"{{{SVG}}}path"))
            numbers *= len(marks) if len(numbers) == 1 else 1
            for mark, number in zip(marks, numbers, strict=True):
                mark.set("data-row", number)


def _mark_tiles(root: ElementTree.Element) -> None:
    """Marks every group that `state` or `part` has named, and says where it is: its first path is its background."""
    for group in root.iter(f"{{{SVG}}}g"):
        word, _, name = group.get("id", "").partition(" ")
        if word in ("state", "part"):
            outline = next(group.iter(f"{{{SVG}}}path")).attrib["d"]
            values = [float(value) for value in re.findall(r"-?[\d.]+", outline)]
            (left, right), (top, bottom) = ((min(ends), max(ends)) for ends in (values[::2], values[1::2]))
            group.set(f"data-{word}", name)
            group.set("data-box", " ".join(f"{value:g}" for value in (left, top, right - left, bottom - top)))


def _clean_attributes(element: ElementTree.Element, names: Mapping[str, str]) -> None:
    """Keeps what draws: short, colours as classes, and of the ids those in `names`, under their new name."""
    attributes, classes = dict(element.attrib), []
    element.attrib.clear()
    declarations = [part.split(":", 1) for part in attributes.pop("style", "").split(";") if ":" in part]
    style = {key.strip(): value.strip() for key, value in declarations}
    if style.pop("font-weight", "400") in ("bold", "600", "700"):
        classes.append("strong")
    style.update({key: attributes.pop(key) for key in ("fill", "stroke") if key in attributes})
    for key, value in style.items():
        if key in ("fill", "stroke"):
            role = COLOURS.get(value.lower())
            if role and not (element.tag == "text" and role == "ink"):
                classes.append(f"{key[0]}-{role}")
            elif not role and value != "none":
                element.set(key, value)
        elif (
            key in KEPT
            and (key, value) not in DEFAULTS
            and not (key == "stroke-width" and style.get("stroke", "none") == "none")
        ):
            element.set(key, _rounded(value))
    for key, value in attributes.items():
        plain = key.removeprefix(f"{{{XLINK}}}")
        if plain == "id":
            if value in names:
                element.set("id", names[value])
        elif plain == "href":
            element.set("href", "#" + names[value.removeprefix("#")])
        elif plain == "d":
            _set_outline(element, _rounded(value))
        elif (plain, value) == ("x", "0") and element.tag == "text":
            pass  # as without
        elif plain in ("x", "y", "width", "height", "points", "cx", "cy", "r"):
            element.set(plain, _rounded(value))
        elif plain == "transform":
            _set_transform(element, _rounded(value))
        elif plain in ("viewBox", "data-row", "data-state", "data-part", "data-box"):
            element.set(plain, value)
    if classes:
        element.set("class", " ".join(dict.fromkeys(classes)))


def _most_common_size(root: ElementTree.Element) -> str:
    """The size that most of the drawing's text has, which then need not say it."""
    texts = list(root.iter("text"))
    sizes = [text.attrib.pop("font-size", FONT_SIZE) for text in texts]
    common = Counter(sizes).most_common(1)[0][0] if sizes else FONT_SIZE
    for text, size in zip(texts, sizes, strict=True):
        if size != common:
            text.set("font-size", size)
    return common


def _set_transform(element: ElementTree.Element, value: str) -> None:
    """What turns an element; what only shifts a text is its place."""
    shift = re.fullmatch(r"translate\((\S+) (\S+)\)", value)
    if shift and element.tag == "text":
        element.attrib |= {"x": shift[1], "y": shift[2]} if shift[1] != "0" else {"y": shift[2]}
    elif not value.startswith("rotate(-0 "):
        element.set("transform", value.replace(") ", ")"))


def _set_outline(element: ElementTree.Element, path: str) -> None:
    """The path, or the circle that matplotlib draws as eight curves around 0 0."""
    circle = re.fullmatch(r"M0 ([\d.]+)(?:C[-\d. ]+){8}z", path)
    if circle and f" {circle[1]} 0C" in path:
        element.tag = "circle"
        element.set("r", circle[1])
    else:
        element.set("d", _straightened(path))


def _rounded(value: str) -> str:
    """Every number in `value` to one decimal (two below 1), runs of white space to one blank."""
    text = re.sub(
        r"-?\d+\.\d+(?:e-?\d+)?",
        lambda m: (
            f"{float(m[0]):.2f}".rstrip("0").rstrip(".")
            if abs(float(m[0])) < 1
            else f"{float(m[0]):.1f}".removesuffix(".0")
        ),
        value,
    )
    return re.sub(r"\s*([MLHVCQZz])\s*", r"\1", re.sub(r"\s+", " ", text)).strip()


def _straightened(path: str) -> str:
    """A path of M and L alone with H and V where it is level or upright, and its straight stretches in one piece."""
    if not re.fullmatch(r"(?:[ML]-?[\d.]+ -?[\d.]+)*[zZ]?", path):
        return path
    steps: list[tuple[str, float, float]] = []
    for command, x, y in re.findall(r"([ML])(-?[\d.]+) (-?[\d.]+)", path):
        _step(steps, command, float(x), float(y))
    forms = {"M": "M{0:g} {1:g}", "L": "L{0:g} {1:g}", "H": "H{0:g}", "V": "V{1:g}"}
    return "".join(forms[command].format(x, y) for command, x, y in steps) + ("z" if path.endswith(("z", "Z")) else "")


def _step(steps: list[tuple[str, float, float]], command: str, x: float, y: float) -> None:
    """Adds a step to `steps`, or lengthens the last one where it goes on in the same direction."""
    if command == "L":
        _, last_x, last_y = steps[-1]
        if (x, y) == (last_x, last_y):
            return
        command = "H" if y == last_y else "V" if x == last_x else "L"
        if command == steps[-1][0] != "L":
            _, before_x, before_y = steps[-2]
            if (x - last_x) * (last_x - before_x) + (y - last_y) * (last_y - before_y) > 0:
                steps.pop()
    steps.append((command, x, y))


def _drop_empty_groups(root: ElementTree.Element) -> None:
    """Removes groups that hold nothing and unwraps those that only group."""
    for parent in root.iter():
        children: list[ElementTree.Element] = []
        for child in list(parent):
            queue = [child]
            while queue:
                element = queue.pop(0)
                if element.tag == "g" and not element.attrib:
                    queue = list(element) + queue
                elif element.tag in ("g", "defs") and not len(element):
                    continue
                elif element.tag == "path" and not element.attrib.keys() & {"class", "fill", "stroke", "id"}:
                    continue  # neither filled nor stroked
                elif element.tag == "text" and not len(element) and not element.text:
                    continue
                else:
                    children.append(element)
        for child in list(parent):
            parent.remove(child)
        parent.extend(children)


def _strip_whitespace(root: ElementTree.Element) -> None:
    for element in root.iter():
        element.tail = None
        if element.tag not in ("text", "title", "desc", "tspan"):
            element.text = None
