"""Durations as people write them: 90s, 10m, 1h30m, 2d. How long one may be is for whoever asks to say."""

import re

DAY = 86_400
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY, "w": 7 * DAY}
_WHOLE = re.compile(r"(?:\d+[smhdw])+")
_PART = re.compile(r"(\d+)([smhdw])")


def seconds_in(text: str) -> int | None:
    """Give the seconds of a duration; None for what is none."""
    if not _WHOLE.fullmatch(text):
        return None
    return sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text))
