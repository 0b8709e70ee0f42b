"""The two ways to the API server that are compared: directly, and through `apisnoop run` as it is installed."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.conversation import Conversation, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

APISNOOP = Path(sys.executable).parent / "apisnoop"
_ADDRESS = re.compile(rb"https://[\w.]+:\d+")


@dataclass(frozen=True, slots=True)
class Way:
    """How programs are started."""

    name: str
    prefix: tuple[str, ...]
    environment: Mapping[str, str]

    def start(self, *words: str, terminal: bool = False, **variables: str) -> Conversation:
        """Start a program with this way's environment and further variables."""
        return Conversation([*self.prefix, *words], {**self.environment, **variables}, terminal=terminal)

    def run(self, *words: str, stdin: bytes = b"", **variables: str) -> Outcome:
        """Run a program to its end."""
        with self.start(*words, **variables) as running:
            if stdin:
                running.send(stdin)
            running.end_input()
            return running.finish()


def direct(environment: Mapping[str, str]) -> Way:
    """Give the way without apisnoop."""
    return Way("direct", (), environment)


def through(environment: Mapping[str, str], directory: Path, *options: str) -> Way:
    """Give the way through apisnoop; its store and the file of calls are in `directory`."""
    files = (f"--db={directory / 'apisnoop.db'}", f"--calls={directory / 'calls.jsonl'}")
    return Way("apisnoop", (str(APISNOOP), "run", *files, *options, "--"), environment)


def without_address(stdout: bytes) -> bytes:
    """Replace the server's address, the one thing in which the two ways may differ."""
    return _ADDRESS.sub(b"https://SERVER", stdout)
