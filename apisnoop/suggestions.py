"""What somebody may have meant by a word that is none of those known."""

from collections.abc import Iterable
from difflib import get_close_matches

LIKE = 0.6
"""Share of letters that two words must have in common, as difflib counts."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """Give a question for the end of a message, or nothing: "; did you mean list?"."""
    found = get_close_matches(word.lower(), sorted(known), n=1, cutoff=LIKE)
    return f"; did you mean {found[0]}?" if found else ""
