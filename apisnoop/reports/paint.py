"""Colour for terminals, and the rule of when to use it. Everything reads the same without."""

from collections.abc import Mapping
from dataclasses import dataclass

from apisnoop.coverage.report import FindingClass

CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "magenta": "35", "cyan": "36"}
CLASS_COLOURS = {
    FindingClass.REMOVED: "red",
    FindingClass.INVALID: "red",
    FindingClass.DEPRECATED: "yellow",
    FindingClass.ALPHA: "magenta",
    FindingClass.BETA: "cyan",
    FindingClass.UNLISTED: "dim",
}
EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours text, or leaves it alone."""

    on: bool = False

    def __call__(self, text: str, colour: str) -> str:
        """Give text in a colour of CODES; an empty name leaves it as it is."""
        return f"\x1b[{CODES[colour]}m{text}\x1b[0m" if self.on and text and colour else text


PLAIN = Paint()


def wants_colour(environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Tell whether to use colour: NO_COLOR forbids it, FORCE_COLOR asks for it, else on a terminal only.

    See https://no-color.org and https://force-color.org; an empty value counts as not set.
    """
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return is_terminal and environment.get("TERM") != "dumb"


def bar(percent: float | None, width: int) -> str:
    """Draw a percentage as a bar in eighths of a character; anything above zero shows."""
    if percent is None or percent <= 0:
        return " " * width
    eighths = max(1, int(percent * width * 8 / 100))
    full, part = divmod(eighths, 8)
    drawn = "█" * full + (EIGHTHS[part] if part else "")
    return drawn.ljust(width)
