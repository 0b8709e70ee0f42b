"""What the demo puts on the screen: steps with their time, commands as a person would type them, and output.

It knows nothing of what is shown. Everything is printed at once, for people who watch and for logs without a terminal;
a step that takes long shows every minute that it goes on.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INDENT = "     "
EVERY = 60.0
"""Seconds after which a step shows that it goes on."""


def say(text: str) -> None:
    """Print at once, and whole lines, for a step shows from another thread that it goes on."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def tell(text: str) -> None:
    """Print below a step's title; nothing where there is nothing."""
    if text:
        say(indented(text))


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what begins, every minute that it goes on, and how long it took; note on a failure which step it was."""
    say(f"\n{title}")
    started = time.monotonic()
    with _signs_of_life():
        try:
            yield
        except Exception as error:
            after = time.monotonic() - started
            error.add_note(f"That was {after:.0f} s after the step began: {title.strip()}. What was done is above.")
            raise
    tell(f"({time.monotonic() - started:.0f} s)")


@contextmanager
def _signs_of_life() -> Iterator[None]:
    """Show every minute of a block that it goes on."""
    over = threading.Event()

    def show() -> None:
        minutes = 0
        while not over.wait(EVERY):
            minutes += 1
            tell(f"… {minutes} min, still at it")

    showing = threading.Thread(target=show, daemon=True)
    showing.start()
    try:
        yield
    finally:
        over.set()
        showing.join()


def indented(text: str) -> str:
    """Put every line below a step's title."""
    return "\n".join(f"{INDENT}{line}".rstrip() for line in text.splitlines())


def relative(path: Path) -> Path:
    """Give a path as it is called from the project's folder, if it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs commands as a person would, and shows both."""

    environment: Mapping[str, str]

    def __call__(self, *words: str, timeout: float = PATIENCE, most: int = 40) -> None:
        """Show a command, run it, and show the first lines of what it prints; raise RuntimeError if it fails."""
        command = shlex.join(words)
        tell(f"$ {command}")
        done = subprocess.run(
            words,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout,
        )
        lines = done.stdout.rstrip().splitlines()
        left_out = [f"… {len(lines) - most} more lines"] if len(lines) > most else []
        tell("\n".join(lines[:most] + left_out))
        if done.returncode:
            raise RuntimeError(f"`{command}` left with {done.returncode}; what it said is above")
