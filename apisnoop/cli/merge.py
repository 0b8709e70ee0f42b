"""`apisnoop merge`: several stores become one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from apisnoop.causes import cause_of
from apisnoop.cli.options import FilePath
from apisnoop.reports.wording import clean
from apisnoop.store import queries
from apisnoop.store.errors import StoreError
from apisnoop.store.merge import merge_into, shared_inputs
from apisnoop.store.store import Store


@click.command()
@click.argument("stores", nargs=-1, required=True, metavar="FILE...", type=FilePath())
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    required=True,
    type=FilePath(),
    help="The store to make; it must not exist yet.",
)
def merge(stores: tuple[Path, ...], output: Path) -> None:
    """Merge stores into a new one, adding up their counts."""
    if output.exists():
        raise click.UsageError(f"{output} exists already: remove it, or name another file with -o")
    with made_whole(output) as unfinished, Store.open(unfinished) as target:
        for path in stores:
            with Store.open(path, read_only=True) as source:
                for name in shared_inputs(target, source):
                    warning = f"{path} holds calls of {clean(name)}, as a store before it does: they count twice"
                    click.echo(f"apisnoop: {warning}", err=True)
                merge_into(target, source)
        calls = sum(use.ok + use.errors for use in queries.uses(target.connection))
    click.echo(f"{output}: {calls:,} calls of {len(stores)} {'store' if len(stores) == 1 else 'stores'}")


@contextmanager
def made_whole(path: Path) -> Iterator[Path]:
    """Give the name of a file to make, which gets its own name only when it is whole; without success it is removed."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        unfinished.replace(path)
    except StoreError as error:
        raise StoreError(str(error).replace(str(unfinished), str(path))) from error
    except OSError as error:
        raise StoreError(f"store {path} cannot be written: {cause_of(error)}; check its folder") from error
    finally:
        for leftover in (unfinished, *(unfinished.with_name(f"{unfinished.name}-{kind}") for kind in ("wal", "shm"))):
            with suppress(OSError):  # where nothing could be written, nothing is left over either
                leftover.unlink(missing_ok=True)
