"""What the demo puts on the screen: steps with their time, commands as a person would type them, and output.

It knows nothing of what is shown. Everything is printed at once, for people who watch and for logs without a terminal.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INDENT = "     "


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


def tell(text: str) -> None:
    """Print below a step's title; nothing where there is nothing."""
    if text:
        say(indented(text))


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what begins, and how long it took."""
    say(f"\n{title}")
    started = time.monotonic()
    yield
    tell(f"({time.monotonic() - started:.0f} s)")


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

    def __call__(self, *words: str, timeout: float = 300, most: int = 40) -> None:
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
