"""`apisnoop clear`: empty a store, or forget what is old."""

import sys
import time
from pathlib import Path

import click

from apisnoop.cli.options import db_option, parse_moment
from apisnoop.store.clear import clear as clear_store
from apisnoop.store.store import Store
from apisnoop.store.window import HOUR


def moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """Turn the value of --before into seconds since the epoch."""
    try:
        return None if value is None else parse_moment(value, now=time.time())
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@db_option
@click.option(
    "--before",
    metavar="TIME",
    callback=moment,
    help="Forget only what is older: 2026-06-01T10:00:00Z, 2026-06-01 (0:00 UTC) or 2h, 7d (ago), in whole hours.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(db: Path, before: float | None, yes: bool) -> None:
    """Delete the calls in a store, all of them or the old ones.

    Without --before the store is as new: what was imported into it can be imported again. With it, imports are
    remembered, so that old calls do not come back.
    """
    with Store.open(db, create=False) as store:
        what = "everything in it" if before is None else "all calls before that hour"
        if not yes:
            _ask(f"{db}: delete {what}?")
        calls = clear_store(store, None if before is None else int(before // HOUR))
    click.echo(f"{db}: {calls:,} calls deleted")


def _ask(question: str) -> None:
    """Raise unless a person, or whatever writes to standard input, says yes."""
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise click.UsageError("nobody answers on standard input: to delete without being asked, add --yes") from None
    if not agreed:
        raise click.Abort
