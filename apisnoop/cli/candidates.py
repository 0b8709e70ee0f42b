"""What a shell is offered for the value of an option or argument; `completion` hands it over. Nothing here ever fails.

A shell takes either words or file names: where both can stand, words are offered as long as one fits, then files.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

type Items = list[CompletionItem[str]]

MOST_BYTES = 1 << 20
"""Of a kubeconfig; completion must answer at once."""


def words(known: Iterable[str], incomplete: str) -> Items:
    """Offer the words that begin like what was typed."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - only shells need it

    return [CompletionItem(word) for word in known if word.startswith(incomplete)]


def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Leave it to the shell to offer files and folders."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - see words

    return [CompletionItem(incomplete, type="file")]


def catalogues(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Offer the shipped releases and the word cluster, else files."""
    from apisnoop.operations.shipped import shipped  # noqa: PLC0415 - reads all releases
    from apisnoop.operations.source import CLUSTER  # noqa: PLC0415

    return words([*shipped().releases, CLUSTER], incomplete) or files(context, parameter, incomplete)


def documents(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Offer files; and the word cluster to whoever begins to write it."""
    return (words(["cluster"], incomplete) if incomplete else []) or files(context, parameter, incomplete)


def contexts(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Offer the contexts of the kubeconfig: the one given on the command line, else those kubectl would read."""
    return words(sorted({name for path in _kubeconfigs(context) for name in context_names(path)}), incomplete)


def markable(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Offer pods and kinds, and behind a kind its objects, as the cluster has them."""
    from apisnoop.fleet.kinds import KINDS, kind_of  # noqa: PLC0415 - only shells need it

    left, slash, _ = incomplete.partition("/")
    if slash:
        kind = kind_of(left)
        return words((f"{left}/{name}" for name in _names(context, kind.name)), incomplete) if kind else []
    kinds = [f"{one.aliases[-1] if one.name == 'namespace' else one.name}/" for one in KINDS if one.name != "pod"]
    return words([*kinds, *_names(context, "pod")], incomplete)


def _names(context: click.Context, kind: str) -> list[str]:
    """List the names of objects; nothing where the cluster does not answer soon."""
    from apisnoop.errors import ApisnoopError  # noqa: PLC0415

    try:
        from apisnoop.cli.cluster_objects import names_of  # noqa: PLC0415 - takes 0.3 s

        given = context.params
        return names_of(kind, given.get("kubeconfig"), given.get("context"), given.get("namespace"))
    except ApisnoopError:
        return []


def commands(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """Offer the programs on the PATH for the first word of a command line, files for the others and for paths."""
    if context.params.get(parameter.name or "") or "/" in incomplete:
        return files(context, parameter, incomplete)
    return words(sorted({name for folder in os.get_exec_path() for name in programs_in(folder)}), incomplete)


def programs_in(folder: str) -> list[str]:
    """Give the names of what can be executed in a folder; nothing for a folder that cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_file() and os.access(entry.path, os.X_OK)]
    except OSError:
        return []


def context_names(path: Path) -> list[str]:
    """Give the names of a kubeconfig's contexts; nothing for a file that is none."""
    import yaml  # noqa: PLC0415 - only shells need it

    try:
        with path.open("rb") as file:
            found = yaml.safe_load(file.read(MOST_BYTES))
        return [entry["name"] for entry in found["contexts"] if isinstance(entry["name"], str)]
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError, RecursionError):
        return []


def _kubeconfigs(context: click.Context) -> list[Path]:
    if given := context.params.get("kubeconfig"):
        return [Path(given)]
    if listed := os.environ.get("KUBECONFIG"):
        return [Path(path) for path in listed.split(os.pathsep) if path]
    return [Path(os.environ.get("HOME") or "~").expanduser() / ".kube" / "config"]
