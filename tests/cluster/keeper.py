"""The keeper: a small process of its own that starts a cluster's processes and ends them, whatever happens.

Whoever starts a cluster (its owner) talks to its keeper over a socket, one JSON object a line. When the owner ends,
however it ends, the keeper kills everything it started and cleans the slot. Should the keeper itself be killed, the
kernel kills its children (PR_SET_PDEATHSIG), and with the first process of a node everything in that node; the folders
and control groups that remain are removed when a slot is claimed the next time.

Run as `python -m cluster.keeper SLOT SOCKET OWNER`; the slot's lock is an inherited descriptor that it just keeps open.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cleanup import clean
from .slot import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LOGS_VARIABLE = "APISNOOP_TEST_LOGS"
"""Names a folder that keeps the logs of every cluster that ends; unset, they go with it."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_CHUNK = 65536
_libc = ctypes.CDLL(None, use_errno=True)


class Keeper:
    """Holds the processes of one slot; `start`, `stop`, `ended` and `stay` are what an owner can ask for."""

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
        """Ask a process to end, kill it if it still runs after `seconds`, and return its exit status."""
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

    def stay(self, *, on: bool) -> None:
        """Outlive the owner, until SIGTERM; or do not, which is how it begins."""
        self.stays = on

    def tear_down(self) -> None:
        """Kill everything and clean the slot."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()
        self._processes.clear()
        _keep_logs(self._slot)
        clean(self._slot)
        _collect_orphans()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request asks for; what goes wrong is part of the answer."""
        operations = {"start": self.start, "stop": self.stop, "ended": self.ended, "stay": self.stay}
        operation: Any = operations[request.pop("do")]
        try:
            return {"result": operation(**request)}
        except (OSError, subprocess.SubprocessError) as error:
            return {"error": str(error)}


def _collect_orphans() -> None:
    """Collect a node's first process, which became ours when its `unshare` was killed before it."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _keep_logs(slot: Slot) -> None:
    """Copy the logs to where the environment says, for a look at what happened in a cluster that is gone."""
    if target := os.environ.get(LOGS_VARIABLE):
        kept = Path(target) / f"cluster-{slot.index}-{time.time_ns()}"
        with contextlib.suppress(OSError):  # cleaning matters more; and a cluster that died young has no audit log
            shutil.copytree(slot.directory / "logs", kept)
            shutil.copy(slot.directory / "audit.log", kept)


def _before_exec(join: Sequence[str]) -> None:
    """Tie the new process to the keeper's life and put it into its control groups."""
    keeper = os.getppid()
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:  # died in between, so the signal will not come
        os._exit(1)
    for path in join:
        Path(path).write_text("0")


def _requests(control: socket.socket, owner: int) -> Iterator[dict[str, Any]]:
    """Yield the owner's requests until it closes the socket or ends.

    Its end counts by itself (`owner` is a pid descriptor): a process it forked may still hold the socket open.
    """
    pending = b""
    while True:
        readable, _, _ = select.select([control.fileno(), owner], [], [])
        chunk = control.recv(_CHUNK) if control.fileno() in readable else b""
        if not chunk:
            return
        *lines, pending = (pending + chunk).split(b"\n")
        yield from map(json.loads, lines)


def _serve(keeper: Keeper, control: socket.socket, owner: int) -> None:
    try:
        for request in _requests(control, owner):
            control.sendall(json.dumps(keeper.answer(request)).encode() + b"\n")
    except ConnectionError:
        pass  # the owner was killed before it read its answer
    if keeper.stays:
        signal.pause()


def _exit(_signal: int, _frame: object) -> None:
    sys.exit(0)


def main() -> None:
    """Serve one owner, then clean up; the exit code is 1 when something could not be removed."""
    slot, control, owner = Slot(int(sys.argv[1])), socket.socket(fileno=int(sys.argv[2])), int(sys.argv[3])
    keeper = Keeper(slot)
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, _exit)
    try:
        descriptor = os.pidfd_open(os.getppid())
        if os.getppid() == owner:  # else it has ended already, and somebody else is the parent
            _serve(keeper, control, descriptor)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        keeper.tear_down()


if __name__ == "__main__":
    main()
