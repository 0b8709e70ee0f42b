"""Text in columns for a terminal: upper case headers, two spaces between, numbers to the right. It prints nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

from apisnoop.reports.paint import PLAIN, Paint

GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its header, and how its cells are laid out."""

    header: str
    right: bool = False
    shrinks: bool = False
    """Whether its cells may be cut to make a row fit; the widest such column gives first."""
    least: int = 12
    """Characters a shrinking column keeps."""
    colour: str = ""
    """Of its cells; headers have their own."""


def width_of(text: str) -> int:
    """Give the cells that text takes on a terminal; East Asian wide characters take two."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def cut(text: str, width: int) -> str:
    """Shorten text to a width, with an ellipsis where something was taken."""
    if width_of(text) <= width:
        return text
    kept = ""
    for char in text:
        if width_of(kept + char) >= width:
            break
        kept += char
    return f"{kept}…"


def fitted(line: str, width: int | None) -> str:
    """Shorten a line to a width; None leaves it as it is."""
    return line if width is None else cut(line, width)


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill text with spaces to a width."""
    space = " " * (width - width_of(text))
    return space + text if right else text + space


def render_columns(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None = None, paint: Paint = PLAIN
) -> list[str]:
    """Lay rows out under headers, at most `width` wide where columns may shrink (None: as wide as it takes)."""
    widths = fit(columns, rows, width)
    lines = [
        [
            pad(cut(cell, size), size, right=column.right)
            for cell, size, column in zip(row, widths, columns, strict=True)
        ]
        for row in ([column.header.upper() for column in columns], *rows)
    ]
    header, *body = lines
    coloured = [
        [paint(cell, column.colour) for cell, column in zip(_without_trail(line), columns, strict=False)]
        for line in body
    ]
    return [paint(GAP.join(header).rstrip(), "dim"), *(GAP.join(line) for line in coloured)]


def _without_trail(line: list[str]) -> list[str]:
    """Take the spaces off the end of a line, whole cells of them too."""
    while line and not line[-1].strip():
        line = line[:-1]
    return [*line[:-1], line[-1].rstrip()] if line else line


def fit(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> list[int]:
    """Give the width of each column: as wide as its cells, shrinking columns cut back evenly from the widest."""
    cells = [[column.header, *(row[at] for row in rows)] for at, column in enumerate(columns)]
    widths = [max(map(width_of, column)) for column in cells]
    if width is None:
        return widths
    excess = sum(widths) + len(GAP) * (len(columns) - 1) - width
    while excess > 0:
        able = [at for at, column in enumerate(columns) if column.shrinks and widths[at] > column.least]
        if not able:
            break
        widths[max(able, key=lambda at: widths[at])] -= 1
        excess -= 1
    return widths
