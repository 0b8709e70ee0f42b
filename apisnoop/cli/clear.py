"""`apisnoop clear`: empty a store, or forget what is old."""

import sys
from pathlib import Path

import click

from apisnoop.cli.options import db_option, moment
from apisnoop.errors import ExitCode, UsageError
from apisnoop.store.clear import clear as clear_store
from apisnoop.store.store import Store
from apisnoop.store.window import HOUR


@click.command()
@db_option
@click.option(
    "--before",
    metavar="TIME",
    callback=moment,
    help="Forget only what is older: 2026-06-01T10:00:00Z, 2026-06-01 (0:00 UTC) or 2h, 7d (ago), in whole hours.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(db: Path, before: float | None, yes: bool) -> int:
    """Delete the calls in a store, all of them or the old ones.

    Without --before the store is as new: what was imported into it can be imported again. With it, imports are
    remembered, so that old calls do not come back.
    """
    with Store.open(db, create=False) as store:
        what = "everything in it" if before is None else "all calls before that hour"
        if not yes and not _agreed(db, what):
            click.echo(f"{db}: nothing was deleted", err=True)
            return ExitCode.INTERRUPTED
        calls = clear_store(store, None if before is None else int(before // HOUR))
    click.echo(f"{db}: {calls:,} calls deleted")
    return ExitCode.OK


def _agreed(db: Path, what: str) -> bool:
    """Tell whether a person, or whatever writes to standard input, says yes.

    Raises UsageError where nobody can answer; nothing is asked then.
    """
    if is_watched():
        return click.confirm(f"{db}: delete {what}?", err=True)
    answer = sys.stdin.readline()
    if not answer:
        raise UsageError(f"{db}: nothing was deleted, for nobody can be asked: to delete {what}, add --yes")
    return answer.strip().lower() in {"y", "yes"}


def is_watched() -> bool:
    """Tell whether standard input is a terminal, with a person before it."""
    return sys.stdin.isatty()
