"""Durations as people write them: 90s, 10m, 1h30m, 2d."""

import re

DAY = 86_400
LONGEST = 10 * 365 * DAY
"""Of one that is to come; how far one may reach back is for whoever asks to say."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY, "w": 7 * DAY}
_WHOLE = re.compile(r"(?:\d+[smhdw])+")
_PART = re.compile(r"(\d+)([smhdw])")


def seconds_in(text: str) -> int | None:
    """Give the seconds of a duration; None for what is none."""
    if not _WHOLE.fullmatch(text):
        return None
    return sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text))


def parse_duration(text: str) -> int:
    """Read a duration that is to come as seconds, from one to ten years. Raises ValueError naming the text."""
    seconds = seconds_in(text)
    if seconds is None:
        raise ValueError(f"{text!r} is no duration like 10m, 1h30m or 2d")
    if not 0 < seconds <= LONGEST:
        raise ValueError(f"{text!r} is not between a second and ten years")
    return seconds
