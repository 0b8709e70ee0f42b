"""Failures a user can act on, each with the exit code that the command line gives it.

Not for programming errors: those stay builtin exceptions and show a traceback.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells its caller; the table in docs/exit-codes.md is checked against this."""

    OK = 0
    FINDINGS = 1
    """A gate the user asked for (`--fail-under`, `--fail-on`) was not met."""
    USAGE = 2
    """The command line, or a value in it, cannot be understood."""
    UNAVAILABLE = 3
    """A cluster, store or input cannot be reached or read."""
    INTERRUPTED = 130


class ApisnoopError(Exception):
    """Something the user can mend; the message is one line: the object, its value, the next step."""

    exit_code = ExitCode.UNAVAILABLE


class UsageError(ApisnoopError):
    """A value given by the user cannot be used (an unknown release, two options that exclude one another)."""

    exit_code = ExitCode.USAGE


class RefusedError(ApisnoopError):
    """The API server answered with an error."""

    def __init__(self, what: str, status: int, message: str) -> None:
        hint = "; see the rights that the component's README lists" if status in {401, 403} else ""
        super().__init__(f"the API server refuses to {what}: {message or status}{hint}")
        self.status = status
