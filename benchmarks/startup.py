"""How long the command line takes from start to end: `--help`, and explaining one request."""

import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.row import Row, median_seconds

PROGRAM = Path(sys.executable).with_name("apisnoop")


def run() -> list[Row]:
    """Return the wall-clock seconds of each command, as a user waits for it."""
    commands = {
        "apisnoop --help": ["--help"],
        "apisnoop explain, one request": ["explain", "GET", "/api/v1/namespaces/shop/pods/web"],
    }
    return [
        Row(name, median_seconds(partial(call, arguments), runs=9), "s", 0.3, 0.15, at_least=False)
        for name, arguments in commands.items()
    ]


def call(arguments: list[str]) -> None:
    """Run the installed entry point once, its output thrown away."""
    subprocess.run([PROGRAM, *arguments], check=True, stdout=subprocess.DEVNULL)
