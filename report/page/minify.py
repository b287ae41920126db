"""Style sheet and script without their comments and indentation, for the page. Both stay readable, a rule a line.

For our own files: a comment in the script stands on a line of its own, or after blanks and before one.
"""

from __future__ import annotations

import re


def style(text: str) -> str:
    """CSS without comments and blanks that say nothing; what is in quotes stays."""
    pieces = re.split(r'("[^"]*")', re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))
    pieces[::2] = [_tight(piece) for piece in pieces[::2]]
    return "".join(pieces).strip()


def _tight(css: str) -> str:
    css = re.sub(r"\s+", " ", css)
    css = re.sub(r" ?([{};,>]) ?", r"\1", css)  # a blank before a colon is a selector's, one after it nobody's
    return re.sub(r"(?<=:) ", "", css).replace(";}", "}").replace("}", "}\n").replace("\n}", "}")


def script(text: str) -> str:
    """JavaScript without comments, indentation and empty lines. Its lines stay: the end of one may end a statement."""
    lines = (re.sub(r"(^|\s+)// .*", "", line).strip() for line in text.splitlines())
    return "\n".join(filter(None, lines))
