"""Signals reach the command once, whoever sends them."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from apisnoop_addons.run.signals import SignalWatch

# The command: says each signal it gets, and ends at SIGTERM.
COMMAND = """
import os, signal, sys
signals = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGWINCH]
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
print("ready", os.getppid(), flush=True)
while True:
    got = signal.sigwaitinfo(signals)
    print(signal.Signals(got.si_signo).name, flush=True)
    if got.si_signo == signal.SIGTERM:
        sys.exit(9)
"""
# Us: starts it and passes on what must be passed on.
PARENT = """
import asyncio, os, sys
from apisnoop_addons.run.child import Child
from apisnoop_addons.run.signals import SignalWatch
async def go():
    loop = asyncio.get_running_loop()
    def pass_on(number, from_terminal):
        if not from_terminal:
            loop.call_soon_threadsafe(child.send, number)
    with SignalWatch(pass_on) as watch:
        child = Child([sys.executable, "-c", sys.argv[1]], dict(os.environ), watch.outer_mask)
        return (await child.wait()).code
sys.exit(asyncio.run(go()))
"""
ARGUMENTS = [sys.executable, "-c", PARENT, COMMAND]


@contextmanager
def under_terminal() -> Iterator[tuple[int, int]]:
    """Start us as the foreground job of a new terminal; give the process and the terminal's other end."""
    process, terminal = pty.fork()
    if process == 0:
        os.execv(ARGUMENTS[0], ARGUMENTS)
    try:
        yield process, terminal
    finally:
        os.close(terminal)


def read_line(descriptor: int) -> str:
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(descriptor, 1)
    return line.decode().strip()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*forkpty:DeprecationWarning")
def test_a_key_on_the_terminal_reaches_the_command_once():
    """Ctrl-C is the terminal's own to deliver; what kill(2) sends to us alone is passed on, in between."""
    with under_terminal() as (process, terminal):
        assert read_line(terminal).startswith("ready")
        os.write(terminal, b"\x03")
        assert read_line(terminal).removeprefix("^C") == "SIGINT"
        os.kill(process, signal.SIGUSR1)
        assert read_line(terminal) == "SIGUSR1", "the Ctrl-C was delivered twice"
        os.kill(process, signal.SIGTERM)
        assert read_line(terminal) == "SIGTERM"
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9


def test_what_is_sent_to_us_alone_is_passed_on():
    """Every signal that a person, a terminal's end or a service manager sends."""
    with subprocess.Popen(ARGUMENTS, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith(b"ready")
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGWINCH, signal.SIGTERM):
            process.send_signal(number)
            assert process.stdout.readline().decode().strip() == number.name
        assert process.wait() == 9


def test_what_we_were_started_to_ignore_stays_ignored():
    """Under nohup the end of the terminal concerns neither us nor the command."""
    with subprocess.Popen(["nohup", *ARGUMENTS], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        assert process.stdout.readline().startswith(b"ready")
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == b"SIGTERM\n"
        assert process.wait() == 9


def test_afterwards_signals_do_what_they_did_before():
    """The mask is the one from before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with SignalWatch(lambda _number, _from_terminal: None):
        assert signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
