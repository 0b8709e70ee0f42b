"""Blocks of lines, one under another with an empty line between."""

from collections.abc import Iterable


def join_blocks(blocks: Iterable[list[str]]) -> str:
    """Put blocks under one another, empty ones left out."""
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"
