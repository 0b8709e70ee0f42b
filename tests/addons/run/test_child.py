"""Starting a command and waiting for it."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from apisnoop_addons.run.child import Child, Ended, NotStartedError

SHELL = "/bin/sh"


def run(script: str, environment: dict[str, str] | None = None, mask: set[int] | None = None) -> Ended:
    async def wait() -> Ended:
        return await Child([SHELL, "-c", script], environment or dict(os.environ), mask or set()).wait()

    return asyncio.run(wait())


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_the_exit_code_is_the_commands(code):
    """Whatever it is."""
    assert run(f"exit {code}") == Ended(code)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_death_by_a_signal_is_told_as_shells_do(number):
    """128 + n, and which signal it was."""
    assert run(f"kill -{number.value} $$") == Ended(128 + number, number)


def test_the_environment_is_the_one_given():
    """Nothing of ours is added."""
    assert run('test "$A" = b && test "$(env | grep -c -v "^PWD\\|^SHLVL\\|^_")" = 1', {"A": "b"}) == Ended(0)


def test_the_signal_mask_and_dispositions_are_those_without_us(tmp_path):
    """What Python ignores for itself (SIGPIPE, SIGXFSZ) is not ignored by the command."""
    read = f"grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status > {tmp_path}"
    subprocess.run([SHELL, "-c", f"{read}/direct"], check=True)
    assert run(f"{read}/ours") == Ended(0)
    assert signal_masks(tmp_path / "ours") == signal_masks(tmp_path / "direct")


def signal_masks(status):
    """Read masks from lines of proc_pid_status(5), without the C library's own signals 32 and 33, which its
    posix_spawn(3) ignores and no program can use."""
    lines = status.read_text().splitlines()
    return {name: int(mask, 16) & ~(0b11 << 31) for name, mask in (line.split() for line in lines)}


def test_a_command_is_looked_up_in_the_path():
    """As a shell does."""

    async def wait() -> Ended:
        return await Child(["true"], dict(os.environ), set()).wait()

    assert asyncio.run(wait()) == Ended(0)


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("no-such-command", 127, "command 'no-such-command' not found; give its path or install it"),
        ("/etc/passwd", 126, "command '/etc/passwd' cannot be run: Permission denied; check the file"),
        ("/tmp", 126, "command '/tmp' cannot be run: Permission denied; check the file"),
    ],
)
def test_a_command_that_cannot_be_started_is_told(command, code, message):
    """One line and the exit code that shells use."""
    with pytest.raises(NotStartedError, match=message) as told:
        Child([command], {}, set())
    assert told.value.exit_code == code


def test_a_signal_after_the_end_goes_nowhere():
    """The number of a process that has ended may be another's by then."""

    async def wait() -> None:
        child = Child(["true"], dict(os.environ), set())
        await child.wait()
        child.send(signal.SIGKILL)

    asyncio.run(wait())


def test_a_signal_is_sent():
    """The command gets what it is sent."""

    async def wait() -> Ended:
        child = Child(["sleep", "1000"], dict(os.environ), set())
        child.send(signal.SIGTERM)
        return await child.wait()

    assert asyncio.run(wait()) == Ended(128 + signal.SIGTERM, signal.SIGTERM)


def test_files_that_were_handed_down_stay_open_in_the_command():
    """A shell's redirections of other descriptors reach the command (make's job server needs that)."""
    code = (
        "import asyncio, os; from apisnoop_addons.run.child import Child\n"
        "async def go(): return (await Child(['sh', '-c', 'cat <&7'], dict(os.environ), set()).wait()).code\n"
        "raise SystemExit(asyncio.run(go()))"
    )
    command = f'exec {sys.executable} -c "$CODE" 7<<END\nhanded down\nEND\n'
    assert subprocess.check_output([SHELL, "-c", command], env={**os.environ, "CODE": code}) == b"handed down\n"
