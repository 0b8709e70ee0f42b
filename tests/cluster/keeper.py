"""The keeper: a small process of its own that starts a cluster's processes and ends them, whatever happens.

Whoever starts a cluster talks to its keeper over a socket, one JSON object a line. When that socket closes, because the
cluster was stopped or because its owner was killed, the keeper kills everything it started and cleans the slot. Should
the keeper itself be killed, the kernel kills its children (PR_SET_PDEATHSIG), and with the first process of a node
everything in that node; the folders and control groups that remain are cleaned when a slot is claimed the next time.

Run as `python -m cluster.keeper SLOT SOCKET`; the slot's lock is an inherited descriptor that it just keeps open.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cleanup import clean
from .slot import Slot

if TYPE_CHECKING:
    from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Keeper:
    """Holds the processes of one slot; every public method is an operation its owner can ask for."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.stays = False

    def start(self, name: str, argv: list[str], log: str, join: list[str]) -> int:
        """Start a process whose output is appended to `log`, after it has joined the control groups of `join`."""
        with Path(log).open("ab") as output:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: _before_exec(join),  # noqa: PLW1509 - the keeper has no threads
            )
        self._processes[name] = process
        return process.pid

    def stop(self, name: str, seconds: float) -> int:
        """Ask a process to end, kill it after `seconds`, and return its exit status."""
        process = self._processes.pop(name)
        process.terminate()
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def ended(self) -> dict[str, int]:
        """Return the exit status of every process that ended without being asked to."""
        statuses = {name: process.poll() for name, process in self._processes.items()}
        return {name: status for name, status in statuses.items() if status is not None}

    def stay(self) -> None:
        """Outlive the owner, until SIGTERM."""
        self.stays = True

    def tear_down(self) -> None:
        """Kill everything and clean the slot."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()
        self._processes.clear()
        clean(self._slot)


def _before_exec(join: Sequence[str]) -> None:
    """Tie the new process to the keeper's life and put it into its control groups."""
    keeper = os.getppid()
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:  # died in between, so the signal will not come
        os._exit(1)
    for path in join:
        Path(path).write_text("0")


def _serve(keeper: Keeper, control: socket.socket) -> None:
    """Answer the owner's requests until it goes away or asks for the end."""
    operations = {"start": keeper.start, "stop": keeper.stop, "ended": keeper.ended, "stay": keeper.stay}
    with control.makefile("r") as requests:
        for line in requests:
            request = json.loads(line)
            operation = request.pop("do")
            if operation == "tear_down":
                return
            _answer(control, operations[operation], request)
    if keeper.stays:
        signal.pause()


def _answer(control: socket.socket, operation: Any, arguments: dict[str, Any]) -> None:
    try:
        answer = {"result": operation(**arguments)}
    except OSError as error:
        answer = {"error": str(error)}
    control.sendall(json.dumps(answer).encode() + b"\n")


def _exit(_signal: int, _frame: object) -> None:
    sys.exit(0)


def main() -> None:
    """Serve one owner, then clean up; the exit code is 1 when something could not be removed."""
    slot, control = Slot(int(sys.argv[1])), socket.socket(fileno=int(sys.argv[2]))
    keeper = Keeper(slot)
    signal.signal(signal.SIGTERM, _exit)
    try:
        # An owner that is killed resets the connection instead of closing it, when it had not read everything.
        with contextlib.suppress(ConnectionError):
            _serve(keeper, control)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        keeper.tear_down()


if __name__ == "__main__":
    main()
