"""The owner's side of the keeper: claim a slot, start and stop the processes in it, give it all back."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .access import environment_without_proxies
from .claim import claim, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from .slot import Slot

_LOG_TAIL = 10
_POLL_SECONDS = 0.01
# On a busy machine it takes minutes to remove the files of images that two nodes have unpacked.
_TEAR_DOWN_TIMEOUT = 300.0


class ProcessEndedError(RuntimeError):
    """A process of the cluster ended by itself; the message holds the end of its log."""


class Processes:
    """The processes of one slot, through the keeper that this object started."""

    def __init__(self, slot: Slot, keeper: subprocess.Popen[bytes], control: socket.socket) -> None:
        self.slot = slot
        self._keeper = keeper
        self._control = control
        self._answers = control.makefile("r")
        self._asking = threading.Lock()

    @classmethod
    def claim(cls) -> Processes:
        """Take a free slot, clean what dead clusters left in it and in others, and start its keeper."""
        slot, lock = claim()
        ours, theirs = socket.socketpair()
        logs_directory(slot).mkdir()
        with theirs, (logs_directory(slot) / "keeper.log").open("wb") as log:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "cluster.keeper", str(slot.index), str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(lock, theirs.fileno()),
                cwd=Path(__file__).parent.parent,
                env=environment_without_proxies(),
            )
        os.close(lock)
        keeper_file(slot).write_text(str(keeper.pid))
        return cls(slot, keeper, ours)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep the processes when the block that starts them is through, tear them down when it fails."""
        if error is not None:
            error.add_note(self.evidence())
            self.tear_down()

    def start(self, name: str, argv: Sequence[str | Path], *, join: Sequence[Path] = ()) -> int:
        """Start a process and return its id; its output goes to the slot's logs/`name`.log."""
        words = [str(word) for word in argv]
        paths = [str(path) for path in join]
        return int(self._ask("start", name=name, argv=words, log=str(self.log(name)), join=paths))

    def stop(self, name: str, seconds: float) -> int:
        """Ask a process to end, kill it if it still runs after `seconds`, and return its exit status."""
        return int(self._ask("stop", name=name, seconds=seconds))

    def check(self) -> None:
        """Raise ProcessEndedError if any process has ended by itself."""
        for name, status in self._ask("ended").items():
            raise ProcessEndedError(f"{name} ended with status {status}; the end of its log:\n{self.tail(name)}")

    def wait_until(self, happened: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait for something outside that cannot be awaited, such as another process entering a namespace.

        Raises ProcessEndedError as soon as a process of the cluster ends, TimeoutError naming `what` after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not happened():
            self.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} was not there after {seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    def stay(self) -> None:
        """Let the processes outlive this one; `end` ends them later, from any process."""
        self._ask("stay", on=True)
        _stays_file(self.slot).touch()

    def tear_down(self) -> None:
        """Kill every process and give the slot back; harmless when done before.

        Raises RuntimeError when something could not be removed; the next start tries again.
        """
        if self._control.fileno() < 0:
            return
        with contextlib.suppress(OSError, ProcessEndedError):  # the keeper was killed: its part is done below
            self._ask("stay", on=False)
        self._answers.close()
        self._control.close()
        status = self._keeper.wait(_TEAR_DOWN_TIMEOUT)
        if status < 0:
            sweep()
        if status > 0:
            raise RuntimeError(f"cluster {self.slot.index} left something behind:\n{self.tail('keeper')}")

    def log(self, name: str) -> Path:
        """Return where the output of a process goes."""
        return logs_directory(self.slot) / f"{name}.log"

    def tail(self, name: str) -> str:
        """Return the last lines of a process's log."""
        try:
            return "\n".join(self.log(name).read_text(errors="replace").splitlines()[-_LOG_TAIL:])
        except FileNotFoundError:
            return "(no log)"

    def evidence(self) -> str:
        """Return the end of every log, for whoever has to find out why a cluster did not start."""
        names = sorted(path.stem for path in logs_directory(self.slot).glob("*.log"))
        return "\n".join(f"--- the end of {name}'s log:\n{self.tail(name)}" for name in names)

    def _ask(self, operation: str, **arguments: Any) -> Any:
        with self._asking:
            self._control.sendall(json.dumps({"do": operation, **arguments}).encode() + b"\n")
            line = self._answers.readline()
        if not line:
            raise ProcessEndedError(f"the cluster's keeper ended:\n{self.tail('keeper')}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"cannot {operation} {arguments.get('name', '')}: {answer['error']}")
        return answer["result"]


def logs_directory(slot: Slot) -> Path:
    """Return the folder of a slot's logs."""
    return slot.directory / "logs"


def keeper_file(slot: Slot) -> Path:
    """Return the file with the process id of a slot's keeper; it is written once, when the cluster begins to start."""
    return slot.directory / "keeper.pid"


def stays(slot: Slot) -> bool:
    """Tell whether a slot's cluster was started to outlive its owner."""
    return _stays_file(slot).exists()


def end(slot: Slot) -> None:
    """End the running cluster of a slot, whoever started it, and wait until it is gone.

    Raises RuntimeError when it is not gone after five minutes.
    """
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended in the meantime
        keeper = os.pidfd_open(int(keeper_file(slot).read_text()))
        signal.pidfd_send_signal(keeper, signal.SIGTERM)
        select.select([keeper], [], [], _TEAR_DOWN_TIMEOUT)
        os.close(keeper)
    if slot.directory.exists():
        raise RuntimeError(f"cluster {slot.index} is not gone: see {logs_directory(slot) / 'keeper.log'}")


def _stays_file(slot: Slot) -> Path:
    return slot.directory / "stays"
