"""The command that is run: started with our standard streams, sent our signals, waited for.

Not here: which signals those are (`signals`), what is in its environment (`command_environment` in `session`).
"""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from apisnoop.causes import cause_of
from apisnoop.errors import ApisnoopError


class NotStartedError(ApisnoopError):
    """The command cannot be run; the exit code is the one that shells give for it."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[assignment]  # a shell's code, not one of ours


def find_command(name: str, path: str | None) -> None:
    """Raise NotStartedError if `name` is no command in `path` (as in PATH; None: the system's), nor a program file."""
    if shutil.which(name, path=path) is None:
        there = Path(name).exists() if "/" in name else shutil.which(name, os.F_OK, path) is not None
        raise _not_executable(name, "it is not executable") if there else _not_found(name)


def _not_found(name: str) -> NotStartedError:
    return NotStartedError(f"command {name!r} not found; give its path or install it", 127)


def _not_executable(name: str, why: str) -> NotStartedError:
    return NotStartedError(f"command {name!r} cannot be run: {why}; check the file", 126)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: with an exit code or by a signal."""

    code: int
    """The exit code, 128 + n where signal n ended it."""
    signal: int = 0


class Child:
    """A started command."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], mask: set[int]) -> None:
        """Start `command` with the signal mask `mask`. Raises NotStartedError."""
        try:
            # Python ignores these two; no other program expects that.
            defaults = [signal.SIGPIPE, signal.SIGXFSZ]
            self.pid = os.posix_spawnp(command[0], tuple(command), environment, setsigmask=mask, setsigdef=defaults)
        except FileNotFoundError:
            raise _not_found(command[0]) from None
        except OSError as error:
            raise _not_executable(command[0], cause_of(error)) from None
        self._descriptor = os.pidfd_open(self.pid)

    def send(self, number: int) -> None:
        """Send the command a signal; one that has ended already gets none."""
        if self._descriptor >= 0:
            signal.pidfd_send_signal(self._descriptor, number)

    async def wait(self) -> Ended:
        """Wait until the command has ended."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._descriptor)
        return self._reap()

    def _reap(self) -> Ended:
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._descriptor)
        self._descriptor = -1
        return Ended(code) if code >= 0 else Ended(128 - code, -code)
