"""Showing what cannot be read without showing what it says: it may be the middle of a Secret."""

import re

SHOWN = 80
"""Bytes shown of a record that cannot be read."""
SHOWN_WORDS = frozenset({"kind", "apiVersion", "audit", "k8s", "io", "v1", "level", "auditID", "stage", "requestURI"})
_WORD = re.compile(r"[^\W_]+")


def shape_of(record: bytes) -> str:
    """Give the beginning of a record that cannot be read, with letters and digits masked: it may hold a secret."""
    text = record[:SHOWN].decode("ascii", errors="replace").replace("\ufffd", "x")
    masked = _WORD.sub(lambda word: word.group() if word.group() in SHOWN_WORDS else _mask(word.group()), text)
    return "".join(character if character.isprintable() else "?" for character in masked)


def _mask(word: str) -> str:
    return "".join("0" if character.isdigit() else "x" for character in word)
