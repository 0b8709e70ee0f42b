"""Run the benchmarks named on the command line (all without a name) and print the table of figures as Markdown."""

import os
import platform
import sys
from importlib import import_module

from benchmarks.row import Row

BENCHMARKS = ["match", "importing", "coverage", "startup", "proxy", "watch", "webhook"]


def main(names: list[str]) -> int:
    """Print the rows of each benchmark; return 1 when a figure falls short, 2 for an unknown name."""
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        print(f"bench: no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
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
    bounds = [f"{amount(bound)} {row.unit}" for bound in (row.must, row.aim)]
    if row.peer is not None:
        measured = f"{row.judged:.2f} × ({measured}; peer {amount(row.peer)})"
        bounds = [f"{bound:g} ×" for bound in (row.must, row.aim)]
    sign = "≥" if row.at_least else "≤"
    return f"| {row.name} | {measured} | {sign} {bounds[0]} | {sign} {bounds[1]} | {row.verdict} | {row.note} |"


def amount(value: float) -> str:
    """Return a number for people: thousands separated, three figures where it is small."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
