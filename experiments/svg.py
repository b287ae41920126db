"""matplotlib's SVG → SVG for the page: a third of the size, text kept as text, colours by class.

Colours become classes over CSS variables, so that dark mode and print restyle a figure; styles become attributes, which
a strict Content-Security-Policy allows; numbers are rounded to a tenth of a point, far below what a screen shows.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"

# What a plot draws with → the class that the page's style sheet colours. The values only tell the roles apart.
COLOURS = {
    "#111111": "ink",  # text and marks
    "#666666": "muted",  # axes and secondary text
    "#dddddd": "grid",
    "#fefefe": "paper",  # the background
    "#0072b2": "a",  # Okabe and Ito's palette, safe for colour-blind readers
    "#d55e00": "b",
    "#009e73": "c",
    "#cc79a7": "d",
}
KEPT = {"fill-opacity", "stroke-opacity", "opacity", "stroke-width", "stroke-dasharray", "text-anchor", "font-size"}


def clean(raw: str, name: str, title: str, description: str) -> str:
    """The SVG of figure `name`, ready to stand inline in a page, named and described for those who hear it."""
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(raw)
    for tag in ("metadata", "style", "clipPath"):  # plots draw nothing outside their axes
        _remove(root, tag)
    used = set(re.findall(r"#([\w.-]+)", " ".join(v for e in root.iter() for v in e.attrib.values())))
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{SVG}}}")
        _clean_attributes(element, name, used)
    _drop_empty_groups(root)
    view_box = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update(
        {
            "viewBox": view_box,
            "role": "img",
            "aria-labelledby": f"{name}-title",
            "aria-describedby": f"{name}-description",
        }
    )
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        ident = f"{name}-{'title' if tag == 'title' else 'description'}"
        element = ElementTree.Element(tag, {"id": ident})
        element.text = text
        root.insert(position, element)
    _strip_whitespace(root)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def standalone(inline: str) -> str:
    """A cleaned drawing as a file of its own, with the light palette written into it."""
    rules = "".join(f".f-{role}{{fill:{c}}}.s-{role}{{stroke:{c}}}" for c, role in COLOURS.items())
    style = f"text{{font-family:sans-serif}}.strong{{font-weight:bold}}{rules}"
    head, rest = inline.split(">", 1)
    return f'{head} xmlns="{SVG}"><style>{style}</style>{rest}'


def _remove(root: ElementTree.Element, tag: str) -> None:
    for parent in root.iter():
        for child in [child for child in parent if child.tag == f"{{{SVG}}}{tag}"]:
            parent.remove(child)


def _clean_attributes(element: ElementTree.Element, name: str, used: set[str]) -> None:
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
            if role:
                classes.append(f"{key[0]}-{role}")
            elif value != "none" or key == "fill":
                element.set(key, value)
        elif key in KEPT and not (key == "stroke-width" and style.get("stroke", "none") == "none"):
            element.set(key, _rounded(value))
    for key, value in attributes.items():
        plain = key.removeprefix(f"{{{XLINK}}}")
        if plain == "id":
            if value in used:
                element.set("id", f"{name}-{value}")
        elif plain == "href":
            element.set("href", value.replace("#", f"#{name}-"))
        elif plain in ("d", "x", "y", "width", "height", "points", "cx", "cy", "r"):
            element.set(plain, _rounded(value))
        elif plain == "viewBox" or (plain == "transform" and not value.startswith("rotate(-0 ")):
            element.set(plain, value)
    if classes:
        element.set("class", " ".join(dict.fromkeys(classes)))


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
                elif element.tag == "path" and element.get("fill") == "none" and "class" not in element.attrib:
                    continue  # neither filled nor stroked
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
