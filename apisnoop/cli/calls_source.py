"""Where a report's calls come from: a store on disk, or (--cluster) the nodes of a cluster, asked for it only."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from apisnoop.cli.namespaces import install_namespace_option
from apisnoop.cli.options import db_option
from apisnoop.store.store import Store

type Decorated = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Nodes:
    """All that the nodes of a cluster have recorded up to now."""

    kubeconfig: Path | None
    context: str | None
    place: str | None = None
    """The namespace where apisnoop is installed, if not all are to be looked into."""


type Calls = Path | Nodes

cluster_option = click.option(
    "--cluster", is_flag=True, help="Report what the cluster's nodes have recorded up to now, in place of a store."
)


def source_options(command: Decorated) -> Decorated:
    """Add --db and --cluster, which together give `db`: a path, or the nodes. Put it above `kubeconfig_options`."""

    @functools.wraps(command)
    def with_source(*args: Any, db: Path, cluster: bool, place: str | None, **options: Any) -> Any:  # noqa: ANN401
        if not cluster:
            return command(*args, db=db, **options)
        if click.get_current_context().get_parameter_source("db") is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                "--db and --cluster exclude one another; `pull` brings the nodes' calls into a store"
            )
        return command(*args, db=Nodes(options["kubeconfig"], options["context"], place), **options)

    return db_option(cluster_option(install_namespace_option(with_source)))


@contextmanager
def reading(calls: Calls) -> Iterator[Store]:
    """Open what is to be reported on, for reading only.

    Raises StoreError where there is no store or it cannot be read, ApisnoopError where no node answers.
    """
    if isinstance(calls, Path):
        with Store.open(calls, create=False, read_only=True) as store:
            yield store
        return
    from apisnoop.cli.pulling import pulled_for_a_report  # noqa: PLC0415 - the kubernetes client takes 0.3 s

    with pulled_for_a_report(calls) as store:
        yield store
