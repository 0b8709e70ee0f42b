"""Run the benchmarks named on the command line (all without a name) and print the table of figures as Markdown."""

import os
import platform
import sys
from importlib import import_module

from benchmarks.row import Row

BENCHMARKS = ["match", "importing", "coverage", "startup", "proxy", "watch", "webhook", "agent", "inside"]

ASKED_FOR = ["crowd"]
"""Those that take long: only by name."""


def main(names: list[str]) -> int:
    """Print the rows of each benchmark; return 1 when a figure falls short, 2 for an unknown name."""
    every = [*BENCHMARKS, *ASKED_FOR]
    unknown = sorted(set(names) - set(every))
    if unknown:
        print(f"bench: no benchmark {', '.join(unknown)}; there are: {', '.join(every)}", file=sys.stderr)
        return 2
    machine = f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} cores"
    print(f"{machine}, Python {platform.python_version()}\n")
    print("| what | measured | must | aim | verdict | note |\n| --- | --- | --- | --- | --- | --- |")
    short = 0
    for name in names or BENCHMARKS:
        print(f"bench: {name} …", file=sys.stderr)
        for row in import_module(f"benchmarks.{name}").run():
            short += row.verdict == "short"
            print(render(row), flush=True)
    return 1 if short else 0


def render(row: Row) -> str:
    """Return one line of the Markdown table."""
    measured = f"{amount(row.value)} {row.unit}"
    if row.peer is not None:
        measured = f"{row.judged:.2f} × ({measured}; peer {amount(row.peer)})"
    must, aim = (_bound(row, bound) for bound in (row.must, row.aim))
    return f"| {row.name} | {measured} | {must} | {aim} | {row.verdict} | {row.note} |"


def _bound(row: Row, bound: float | None) -> str:
    if bound is None:
        return ""
    sign = "≥" if row.at_least else "≤"
    return f"{sign} {bound:g} ×" if row.peer is not None else f"{sign} {amount(bound)} {row.unit}"


def amount(value: float) -> str:
    """Return a number for people: thousands separated, three figures where it is small."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
