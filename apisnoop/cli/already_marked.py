"""Objects that ask to be recorded, of all namespaces: they are their owners', and no install or uninstall changes them.

So a mark that was set before an uninstall counts again after the next install, which is said by both.
"""

import time
from collections.abc import Iterator

import click

from apisnoop.cli.cluster_objects import list_objects
from apisnoop.cluster_api import Api
from apisnoop.errors import RefusedError
from apisnoop.fleet.enumeration import some_of
from apisnoop.fleet.kinds import KINDS, NAMESPACE, Kind
from apisnoop.fleet.objects import Thing
from apisnoop.fleet.wishes import is_ours
from apisnoop.node.wanted import Marks, read_marks, wanted
from apisnoop.reports.wording import clean, counted

SHOWN = 5
"""Objects that are named; of more only the number is said."""


def marked_objects(api: Api, now: float) -> list[str]:
    """Name the objects that ask to be recorded, as `off` takes them. Raises ApisnoopError."""
    return [
        f"{kind.name}/{one.metadata.name}" + (f" -n {one.metadata.namespace}" if kind is not NAMESPACE else "")
        for kind in KINDS
        for one in _marked(api, kind, now)
    ]


def _marked(api: Api, kind: Kind, now: float) -> Iterator[Thing]:
    for one in list_objects(api, kind.collection(None), Thing):
        marks = read_marks(kind.name, one.metadata)
        if marks.mark and not is_ours(one.metadata) and wanted(marks, (), Marks(""), now).yes:
            yield one


def tell_marked(api: Api, *, one: str, more: str) -> None:
    """Say on stderr which objects ask; `one` and `more` say what that means for one, and for several of them."""
    try:
        found = marked_objects(api, time.time())
    except RefusedError as error:
        click.echo(f"apisnoop: left out which objects ask to be recorded: {error}", err=True)
        return
    if found:
        said = f"{counted(len(found), 'object')} {one if len(found) == 1 else more}: {clean(some_of(found, SHOWN))}"
        click.echo(f"apisnoop: {said}; to take it back: kubectl apisnoop off {clean(found[0])}", err=True)
