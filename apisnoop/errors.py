"""Failures a user can act on, each with the exit code that the command line gives it.

Not for programming errors: those stay builtin exceptions and show a traceback.
"""

import re
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells its caller; the table in docs/exit-codes.md is checked against this."""

    OK = 0
    FINDINGS = 1
    """A gate the user asked for (`--fail-under`, `--fail-on`) was not met, or a verb that looks has found something."""
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
        super().__init__(f"the API server refuses to {what}: {message or status}{_hint(status, message)}")
        self.status = status


RIGHTS = "docs/cluster.md#rights"
"""Where it is written who needs which rights."""
_MISSING = re.compile(
    r'cannot (\w+) resource "([^"]+)" in API group "([^"]*)" (?:in the namespace "([^"]+)"|at the cluster)'
)


def _hint(status: int, message: str) -> str:
    """Name the right that is missing, as the API server does, and where rights are listed."""
    if status == 401:
        return "; the credentials are not accepted: renew them, or give another --kubeconfig"
    if status != 403:
        return ""
    if (found := _MISSING.search(message)) is None:
        return f"; {RIGHTS} lists the rights that are needed"
    verb, resource, group, namespace = found.groups()
    where = f"in namespace {namespace}" if namespace else "cluster-wide"
    return f"; the missing right: {verb} {resource}{f'.{group}' if group else ''} {where} ({RIGHTS})"
