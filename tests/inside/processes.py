"""A program that runs in a node of the test cluster as a container of the DaemonSet would, and its faults."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import cgroups

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cluster.node import Node

SECONDS = 120.0
PAUSE = 0.02
LAST_LINES = 5
JOIN = 'while [ "$1" != -- ]; do echo $$ >"$1"; shift; done; shift; exec "$@"'
"""Joins the control groups named before `--`, and becomes the command named after it."""


class NodeProcess:
    """One program; what it says is in `log`, which goes on when it is started again.

    It has control groups of its own in the node's, as a container has. Entering the node's namespaces does not lead
    there: it would be one more program of the machine, and get no processor while others work on that.
    """

    def __init__(self, node: Node, command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> None:
        entered = node.command("env", *(f"{name}={value}" for name, value in environment.items()), *command)
        self._command = ["sh", "-c", JOIN, "sh", *map(str, cgroups.create_beside(node.pid, log.stem)), "--", *entered]
        self.log = log
        self._entrance: subprocess.Popen[bytes] | None = None
        self._pid = 0

    def start(self) -> None:
        """Start it, and return when the program itself is there."""
        with self.log.open("ab") as log:
            started = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._entrance = started
        wait_until(lambda: self._children() or started.poll() is not None, "the program in the node")
        if started.poll() is not None:
            raise RuntimeError(self.log.read_text())
        (self._pid,) = self._children()

    @property
    def pid(self) -> int:
        """The program itself, as the machine numbers it."""
        return self._pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program."""
        os.kill(self._pid, number)
        if number is signal.SIGCONT and self._entrance:  # nsenter stops when the program that it has started does
            wait_until(lambda: self._state() != "T", "the program to go on")
            os.kill(self._entrance.pid, signal.SIGCONT)

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = SECONDS) -> int:
        """End it and wait until it has; return its exit code, negative for a signal."""
        if self._entrance is None:
            return 0
        with suppress(ProcessLookupError):
            os.kill(self._pid, number)
        if number is signal.SIGTERM:
            self.resume()
        found, self._entrance = self._entrance.wait(seconds), None
        return found

    def tell(self) -> str:
        """Say whether it runs, and what it has written last."""
        ended = self._entrance.poll() if self._entrance else "not started"
        last = self.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        state = f"has ended: {ended}" if ended is not None else f"is there, {self._state()}"
        return "\n".join([f"{self.log.name} {state}", *last])

    def ensure(self) -> None:
        """Have it run."""
        if self._entrance is None or self._entrance.poll() is not None:
            self.start()
        else:
            self.resume()

    def resume(self) -> None:
        """Let it go on if it was stopped."""
        for pid in (self._pid, *([self._entrance.pid] if self._entrance else [])):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def memory(self) -> int:
        """Return the bytes of memory that it occupies, shared pages counted in full."""
        pages = Path(f"/proc/{self._pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def forget_peak(self) -> None:
        """Have `peak` count from now on (proc_pid_clear_refs(5))."""
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")

    def peak(self) -> int:
        """Return the most memory, in bytes, that it has occupied, shared pages counted in full."""
        status = Path(f"/proc/{self._pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024

    def _children(self) -> list[int]:
        with suppress(OSError):
            pid = self._entrance.pid if self._entrance else 0
            return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return []

    def _state(self) -> str:
        return Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_until[Found](look: Callable[[], Found], what: str, seconds: float = SECONDS) -> Found:
    """Look again and again until something is found, for nobody tells of it; raise TimeoutError after a while."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(PAUSE)
    return found
