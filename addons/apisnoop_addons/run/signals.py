"""Signals for a program that runs another: told apart by where they come from, so that none is delivered twice.

The command shares our process group, as with env, time or strace, so that pipes, job control and the terminal are
as without us. The terminal therefore sends Ctrl-C to both of us, and passing it on would be a second one, which
many programs take for "at once". Signals that kill(2) sent to us alone must be passed on. Only sigwaitinfo(2) tells
which is which: si_code is SI_KERNEL for the terminal's.
"""

import signal
from collections.abc import Callable
from threading import Thread
from types import TracebackType
from typing import Self

_SI_KERNEL = 0x80
"""asm-generic/siginfo.h."""
_RELAYED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)

type Receiver = Callable[[signal.Signals, bool], None]
"""Called in a thread of its own with the signal and whether the terminal sent it (and so sent it to the command
too)."""


class SignalWatch:
    """While entered, takes every signal a person or program may send us in place of its default action."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._closing = False
        self._thread = Thread(target=self._receive, name="signals", daemon=True)
        # One that we were started to ignore (nohup, a shell's background job) stays ignored, by the command too.
        self._taken = {number for number in _RELAYED if signal.getsignal(number) != signal.SIG_IGN}
        self.outer_mask: set[int] = set()
        """The mask that the command must be started with."""

    def __enter__(self) -> Self:
        # Threads inherit the mask: enter before others are started, else the kernel may choose one of them.
        self.outer_mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, self._taken))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        if self._thread.ident is not None and self._taken:
            signal.pthread_kill(self._thread.ident, min(self._taken))
        self._thread.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, self.outer_mask)

    def _receive(self) -> None:
        while self._taken:
            received = signal.sigwaitinfo(self._taken)
            if self._closing:
                return
            self._receiver(signal.Signals(received.si_signo), received.si_code == _SI_KERNEL)
