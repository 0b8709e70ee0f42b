"""Options that several verbs share, each a decorator, and what their values mean.

A verb takes `spec`, `kubeconfig` and `context` and calls `open_catalogue`; `db` is a path; the window options become
one `window` argument.
"""

import functools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from apisnoop.cli import candidates
from apisnoop.durations import DAY, seconds_in
from apisnoop.errors import ApisnoopError
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.source import CLUSTER, load_catalogue
from apisnoop.store.window import Window

type Decorated = Callable[..., Any]

_LONGEST = 100 * 365 * DAY


class FilePath(click.Path):
    """A path that is no folder, whether or not anything is there yet.

    Of a folder click would say that the command line is wrong. It is what is there that is, so the exit code is that of
    every other file that cannot be read or written.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:  # noqa: ANN401
        """Give the path. Raises ApisnoopError for a folder, naming the option."""
        given: Any = super().convert(value, param, ctx)
        path = Path(given)
        if path.is_dir():
            option = param.opts[-1] if isinstance(param, click.Option) else "file"
            raise ApisnoopError(f"{option} {path} is a folder; name a file")
        return path


spec_option = click.option(
    "--spec",
    metavar="RELEASE|FILE|URL|cluster",
    shell_complete=candidates.catalogues,
    help="What the API can do: a shipped release (1.34), an OpenAPI document or a folder of them, or what the server "
    "itself says (cluster).  [default: the shipped release nearest to the server's, else the newest]",
)

db_option = click.option(
    "--db",
    metavar="FILE",
    type=FilePath(),
    default=Path("apisnoop.db"),
    envvar="APISNOOP_DB",
    show_default=True,
    show_envvar=True,
    help="The store.",
)


def kubeconfig_options(command: Decorated) -> Decorated:
    """Add --kubeconfig and --context, which give `kubeconfig` (path or None) and `context` (name or None)."""
    kubeconfig = click.option(
        "--kubeconfig",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The kubeconfig.  [default: as kubectl: $KUBECONFIG, ~/.kube/config, the pod's own]",
    )
    context = click.option(
        "--context",
        metavar="NAME",
        shell_complete=candidates.contexts,
        help="The context in it.  [default: the current one]",
    )
    return kubeconfig(context(command))


def open_catalogue(
    spec: str | None, kubeconfig: Path | None = None, context: str | None = None, *, server_version: str = ""
) -> Catalogue:
    """Give the catalogue that the options name, reading the cluster for `--spec cluster`.

    What of a cluster's API could not be read is said on stderr. Raises ApisnoopError; see `load_catalogue`.
    """
    if spec != CLUSTER:
        return load_catalogue(spec, server_version=server_version)

    def read_cluster() -> Catalogue:
        from apisnoop.cli.cluster import read_cluster_catalogue  # noqa: PLC0415 - the client takes 0.3 s to import

        catalogue, problems = read_cluster_catalogue(kubeconfig, context)
        for problem in problems:
            click.echo(f"apisnoop: {problem.where} {problem.what}", err=True)
        return catalogue

    return load_catalogue(spec, read_cluster=read_cluster)


def window_options(command: Decorated) -> Decorated:
    """Add --since and --until, which together give `window`, a `Window` of whole hours."""

    @functools.wraps(command)
    def with_window(*args: Any, since: float | None, until: float | None, **options: Any) -> Any:  # noqa: ANN401
        if since is not None and until is not None and since >= until:
            raise click.UsageError("--since must be earlier than --until")
        return command(*args, window=Window.of(since, until), **options)

    since_help = (
        "From when on: 2026-06-01T10:00:00Z, 2026-06-01 (0:00 UTC) or 2h, 7d (ago). Whole hours are told apart."
    )
    since = click.option("--since", metavar="TIME", callback=moment, help=since_help)
    until = click.option("--until", metavar="TIME", callback=moment, help="Until when, in the same forms.")
    return since(until(with_window))


def moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """Turn the value of an option that is a time into seconds since the epoch."""
    try:
        return None if value is None else parse_moment(value, now=time.time())
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def parse_moment(text: str, *, now: float) -> float:
    """Turn an RFC 3339 time, a date or a duration back from `now` into seconds since the epoch.

    A time without a zone is UTC. Raises ValueError, naming the forms.
    """
    seconds = seconds_in(text)
    if seconds is not None:
        if seconds > _LONGEST:
            raise ValueError(f"{text!r} is more than a hundred years")
        return now - seconds
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        forms = "a time (2026-06-01T10:00:00Z), a date (2026-06-01) nor a duration back from now (90m, 2h, 7d)"
        raise ValueError(f"{text!r} is neither {forms}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
