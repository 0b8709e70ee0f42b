"""`apisnoop spec`: which catalogues there are, what one holds, and whether an OpenAPI document is a good one."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import yaml

from apisnoop.cli import candidates
from apisnoop.cli.options import kubeconfig_options, open_catalogue, spec_option
from apisnoop.errors import ApisnoopError, ExitCode
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.document import Problem, parse_document, unpack
from apisnoop.operations.operation import Level, Operation
from apisnoop.operations.shipped import shipped
from apisnoop.operations.source import CLUSTER, read_contents, shipped_catalogue
from apisnoop.reports.columns import Column, render_columns

_NUMBERS = [Column(header, right=True) for header in ("operations", "not deprecated", *Level)]
_LONGEST = 300
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
        click.echo(f"{key.replace('_', ' '):<16}{value}")
    click.echo()
    groups: dict[str, list[Operation]] = {}
    for operation in catalogue.operations.values():
        groups.setdefault(f"{operation.group}/{operation.version}".strip("/"), []).append(operation)
    rows = [
        [name or "(neither)", str(len({one.resource for one in groups[name]} - {""})), *_cells(groups[name])]
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

    A folder stands for all documents in it, cluster for all that the server gives. The exit code is 1 when something
    is wrong with one of them.
    """
    bad = 0
    for name, content in _contents(document, kubeconfig, context):
        verdict = check_document(name, content)
        bad += any(finding.kind != "default" for finding in verdict.findings)
        click.echo(msgspec.json.encode(verdict).decode() if output == "json" else render_verdict(verdict))
    return ExitCode.FINDINGS if bad else ExitCode.OK


class Finding(msgspec.Struct, frozen=True):
    """Something wrong with a document."""

    kind: str
    """`invalid`: against the OpenAPI specification; `unused`: we could not use it; `default`: a default value does not
    fit its own schema, which the documents of every Kubernetes have ({} where something is required)."""
    where: str
    what: str


class Verdict(msgspec.Struct, frozen=True):
    """What the check of one document found."""

    name: str
    openapi: str
    operations: int
    not_deprecated: int
    findings: list[Finding]


def check_document(name: str, content: bytes | Problem) -> Verdict:
    """Validate one document and read it as a catalogue would."""
    if isinstance(content, Problem):
        return Verdict(name, "", 0, 0, [Finding("unused", content.where, content.what)])
    try:
        document = parse_document(content, name)
    except ValueError as error:
        return Verdict(name, "", 0, 0, [Finding("invalid", "document", str(error))])
    figures = figures_of(document.operations)
    unused = [Finding("unused", problem.where, problem.what) for problem in document.problems]
    findings = [*_validate(unpack(content, name)), *unused]
    return Verdict(name, document.openapi, figures["operations"], figures["not_deprecated"], findings)


def render_verdict(verdict: Verdict) -> str:
    """Write a verdict for people, a finding a line."""
    count = f"{verdict.operations} operations, {verdict.not_deprecated} not deprecated"
    wrong = sum(finding.kind != "default" for finding in verdict.findings)
    version = f"OpenAPI {verdict.openapi}, " if verdict.openapi else ""
    lines = [f"  {finding.kind}  {finding.where}  {finding.what}" for finding in verdict.findings]
    return "\n".join([f"{verdict.name}: {version}{count}: {f'{wrong} found' if wrong else 'fine'}", *lines])


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
    return [str(figure) for figure in figures_of(operations).values()]


def _contents(document: str, kubeconfig: Path | None, context: str | None) -> Iterator[tuple[str, bytes | Problem]]:
    if document != CLUSTER:
        yield from read_contents(document)
        return
    from apisnoop.cli.cluster import ClusterReader, read_cluster_contents  # noqa: PLC0415 - takes 0.3 s to import

    yield from read_cluster_contents(ClusterReader(kubeconfig, context))


def _validate(content: bytes) -> list[Finding]:
    """Hold a document, JSON or YAML, against the OpenAPI specification."""
    try:
        from openapi_spec_validator.shortcuts import get_validator_cls  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ApisnoopError(
            "spec check needs openapi-spec-validator, which is not installed: pip install 'apisnoop[spec-check]'"
        ) from None
    try:
        loaded: Any = msgspec.json.decode(content)
    except msgspec.DecodeError:
        loaded = yaml.safe_load(content)
    found = list(_invalid(get_validator_cls(loaded)(loaded), loaded))
    invalid = list(dict.fromkeys(finding for finding in found if finding.kind == "invalid"))
    defaults = len(found) - sum(finding.kind == "invalid" for finding in found)
    what = f"default values that do not fit their schemas: {defaults}"
    return [*invalid, Finding("default", "document", what)] if defaults else invalid


def _invalid(validator: Any, document: object) -> Iterator[Finding]:  # noqa: ANN401 - one class a version of OpenAPI
    try:
        for error in validator.iter_errors():
            where = " > ".join(str(step) for step in error.absolute_path)
            # A default value is validated on its own, so its errors do not say where it is.
            kind = "invalid" if where or error.instance is document else "default"
            yield Finding(kind, where or "document", error.message.splitlines()[0][:_LONGEST])
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        # It goes on with a document that it found to be malformed, and falls over.
        yield Finding("invalid", "document", f"the validator gave up here: {type(error).__name__} {error}"[:_LONGEST])
