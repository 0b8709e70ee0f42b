"""`apisnoop spec`: which catalogues there are, what one holds, and whether an OpenAPI document is a good one."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import msgspec

from apisnoop.cli import candidates
from apisnoop.cli.document_check import check_document, render_total, render_verdict
from apisnoop.cli.options import kubeconfig_options, open_catalogue, spec_option
from apisnoop.errors import ExitCode
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.document import Problem
from apisnoop.operations.operation import Level, Operation
from apisnoop.operations.shipped import shipped
from apisnoop.operations.source import CLUSTER, read_contents, shipped_catalogue
from apisnoop.reports.columns import Column, render_columns
from apisnoop.reports.wording import number

_NUMBERS = [Column(header, right=True) for header in ("operations", "not deprecated", *Level)]
_output_option = click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)


@click.group()
def spec() -> None:
    """List, show and check catalogues of what the API can do."""


@spec.command(name="list")
@_output_option
def list_releases(output: str) -> None:
    """List the catalogues inside the package, with how many operations each has."""
    catalogues = [shipped_catalogue(release) for release in shipped().releases]
    if output == "json":
        for catalogue in catalogues:
            click.echo(msgspec.json.encode(summary_of(catalogue)).decode())
        return
    rows = [[catalogue.release, *_cells(catalogue.operations.values())] for catalogue in catalogues]
    click.echo("\n".join(render_columns([Column("release"), *_NUMBERS], rows)))


@spec.command()
@_output_option
@spec_option
@kubeconfig_options
def show(output: str, spec: str | None, kubeconfig: Path | None, context: str | None) -> None:
    """Show a catalogue by group and version; with -o json its operations, one a line."""
    catalogue = open_catalogue(spec, kubeconfig, context)
    if output == "json":
        for operation in catalogue.operations.values():
            click.echo(msgspec.json.encode(operation).decode())
        return
    for key, value in summary_of(catalogue).items():
        click.echo(f"{key.replace('_', ' '):<16}{number(value) if isinstance(value, int) else value}")
    click.echo()
    groups: dict[str, list[Operation]] = {}
    for operation in catalogue.operations.values():
        groups.setdefault(f"{operation.group}/{operation.version}".strip("/"), []).append(operation)
    rows = [
        [name or "(neither)", number(len({one.resource for one in groups[name]} - {""})), *_cells(groups[name])]
        for name in sorted(groups)
    ]
    columns = [Column("group and version"), Column("resources", right=True), *_NUMBERS]
    click.echo("\n".join(render_columns(columns, rows)))


@spec.command()
@click.argument("document", metavar="FILE|URL|cluster", shell_complete=candidates.documents)
@_output_option
@kubeconfig_options
def check(document: str, output: str, kubeconfig: Path | None, context: str | None) -> int:
    """Validate OpenAPI documents, and list what of them cannot be used.

    A folder stands for all documents in it, cluster for all that the server gives. Equal findings of a document share
    a line. The exit code is 1 when something is wrong with one of them.
    """
    verdicts = []
    for name, content in _contents(document, kubeconfig, context):
        verdicts.append(verdict := check_document(name, content))
        click.echo(msgspec.json.encode(verdict).decode() if output == "json" else render_verdict(verdict))
    if output == "text":
        click.echo("".join(f"{line}\n" for line in render_total(verdicts)), nl=False)
    return ExitCode.OK if all(verdict.is_good for verdict in verdicts) else ExitCode.FINDINGS


def summary_of(catalogue: Catalogue) -> dict[str, str | int]:
    """Give a catalogue in a few figures; the levels count what is not deprecated."""
    figures = figures_of(catalogue.operations.values())
    return {"release": catalogue.release, "source": catalogue.source, "digest": catalogue.digest, **figures}


def figures_of(operations: Iterable[Operation]) -> dict[str, int]:
    """Count operations: all, those not deprecated, and of these by level."""
    deprecated = Counter(operation.deprecated for operation in operations)
    levels = Counter(operation.level for operation in operations if not operation.deprecated)
    return {
        "operations": deprecated.total(),
        "not_deprecated": deprecated[False],
        **{level.value: levels[level] for level in Level},
    }


def _cells(operations: Iterable[Operation]) -> list[str]:
    return [number(figure) for figure in figures_of(operations).values()]


def _contents(document: str, kubeconfig: Path | None, context: str | None) -> Iterator[tuple[str, bytes | Problem]]:
    if document != CLUSTER:
        yield from read_contents(document)
        return
    from apisnoop.cli.cluster import ClusterReader, read_cluster_contents  # noqa: PLC0415 - takes 0.3 s to import

    yield from read_cluster_contents(ClusterReader(kubeconfig, context))
