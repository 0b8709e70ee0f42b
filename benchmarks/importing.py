"""Speed and memory of `apisnoop import` on audit logs, as a user runs it: the installed command, into a new store.

Speed is lines per second of processor time, all of the command's processes together: on a machine with nothing else to
do that is lines a second on one core, and it stays true on one that others use as well.
"""

import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.audit_log import write_log
from benchmarks.row import Row

PROGRAM = Path(sys.executable).with_name("apisnoop")
LINES = 1_000_000
ROUNDS = 11
"""Processor time of the same work differs by a tenth from run to run; medians of so many by a hundredth or two."""
MEGABYTE = 1 << 20


class Run(NamedTuple):
    """What one import took."""

    seconds: float
    """Of processor time."""
    memory: float
    """Megabytes, of the largest process."""


def run() -> list[Row]:
    """Import one log with one process and with two, in turn, and a log four times as long."""
    with tempfile.TemporaryDirectory(prefix="apisnoop-bench-") as folder:
        log, longer = Path(folder, "audit.log"), Path(folder, "longer.log")
        size = write_log(log, LINES)
        pairs = [(measure(log, 1), measure(log, 2)) for _ in range(ROUNDS)]
        for _ in range(4):
            with log.open("rb") as part, longer.open("ab") as whole:
                shutil.copyfileobj(part, whole)  # in pieces: what this process holds counts for those it starts, too
        memory = measure(longer, 1).memory
    rates = [LINES / one.seconds for one, _ in pairs]
    one, two = (statistics.median(run.seconds for run in runs) for runs in zip(*pairs, strict=True))
    note = (
        f"{LINES:,} lines of {size:.0f} bytes, {ROUNDS} rounds, {min(rates):,.0f} to {max(rates):,.0f}; start included"
    )
    return [
        Row("import of audit lines, one core", statistics.median(rates), "lines/s", 150_000, 250_000, note=note),
        Row("import, memory", memory, "MB", 200, 100, at_least=False, note=f"{4 * LINES:,} lines"),
        Row("import, two cores: fewer lines per CPU-second", 100 * (1 - one / two), "%", 15, 5, at_least=False),
    ]


def measure(log: Path, jobs: int) -> Run:
    """Import a log into a new store with so many processes."""
    with tempfile.TemporaryDirectory(prefix="apisnoop-bench-") as folder:
        command = [str(PROGRAM), "import", str(log), "--db", f"{folder}/apisnoop.db", "--jobs", str(jobs)]
        silence = os.open(os.devnull, os.O_WRONLY)
        process = os.posix_spawn(PROGRAM, command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, silence, 1)])
        os.close(silence)
        _, status, usage = os.wait4(process, 0)  # its workers are waited for by it, and so counted with it
    if status != 0:
        raise RuntimeError(f"apisnoop import ended with status {status}")
    return Run(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MEGABYTE)


if __name__ == "__main__":
    for row in run():
        print(f"{row.name}: {row.value:,.1f} {row.unit} ({row.note})")
