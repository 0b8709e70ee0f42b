"""Asking before something that cannot be taken back.

A person at a terminal is asked in one line. Anything else on standard input may answer with a line of its own, and is
not asked, for it does not read. Where there is neither, nothing is done.
"""

import sys

import click

from apisnoop.errors import UsageError


def has_consent(question: str, *, otherwise: str, deed: str) -> bool:
    """Tell whether the answer to a question is yes; if not, say `otherwise` on standard error.

    Raises UsageError where nobody can answer, naming `--yes` as the way to do the deed unasked.
    """
    if is_watched():
        agreed = click.confirm(question, err=True)
    else:
        answer = sys.stdin.readline()
        if not answer:
            raise UsageError(f"{otherwise}, for nobody can be asked: to {deed}, add --yes")
        agreed = answer.strip().lower() in {"y", "yes"}
    if not agreed:
        click.echo(otherwise, err=True)
    return agreed


def is_watched() -> bool:
    """Tell whether standard input is a terminal, with a person before it."""
    return sys.stdin.isatty()
