"""`apisnoop gaps`: what is used in the field and not, or hardly, tested."""

from pathlib import Path

import click

from apisnoop.cli.calls_source import Calls, reading, source_options
from apisnoop.cli.options import kubeconfig_options, spec_option, window_options
from apisnoop.cli.report import catalogue_for, output_options, terminal, write_report
from apisnoop.coverage.gaps import GapsReport, gaps_of
from apisnoop.coverage.share import Count
from apisnoop.coverage.tested import LONGEST, EndpointTests, read_tested, unknown_endpoints
from apisnoop.operations.catalogue import Catalogue
from apisnoop.reports.wording import clean, counted
from apisnoop.store.window import Window


@click.command()
@source_options
@spec_option
@kubeconfig_options
@window_options
@click.option(
    "--tested",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Endpoints and their tests: the coverage JSON that kubernetes-sigs/apisnoop publishes, plain or gzip.",
)
@click.option("--eligible", is_flag=True, help="Leave out the operations that are outside conformance.")
@click.option(
    "--count",
    type=click.Choice([count.value for count in Count]),
    default=Count.OK.value,
    show_default=True,
    help="Whether only calls answered without an error count as use, or any.",
)
@output_options(("table", "wide", "json", "csv", "markdown"))
def gaps(  # noqa: PLR0913, PLR0917 - one argument an option, given by name
    db: Calls,
    spec: str | None,
    kubeconfig: Path | None,
    context: str | None,
    window: Window,
    tested: Path | None,
    eligible: bool,
    count: str,
    output: str,
    output_file: Path | None,
) -> None:
    """Rank what is used but untested, or rests on one test.

    Operations with most callers come first. What is tested comes from --tested, and from the calls in the store whose
    user agent names a test.

    \b
    apisnoop gaps --tested conformance-endpoints.json.gz
    """
    layer = read_tested(tested) if tested else None
    with reading(db) as store:
        catalogue = catalogue_for(store, spec, kubeconfig, context)
        if layer:
            warn_of_unknown(layer, catalogue)
        report = gaps_of(store, catalogue, layer, window=window, eligible=eligible, count=Count(count))
    write_report(render(report, output, output_file), output_file)


def warn_of_unknown(layer: EndpointTests, catalogue: Catalogue) -> None:
    """Say on stderr which tested endpoints count for nothing. Raises ApisnoopError where all of them do."""
    if unknown := unknown_endpoints(layer, catalogue):
        click.echo(
            f"apisnoop: {counted(len(unknown), 'endpoint')} of {len(layer.tests):,} in {layer.source} "
            f"unknown to {catalogue.source}, e.g. {clean(unknown[0])[:LONGEST]}",
            err=True,
        )


def render(report: GapsReport, output: str, place: Path | None) -> str:
    """Render a ranking in one of the formats; a renderer is imported when it is used."""
    # ruff: noqa: PLC0415
    match output:
        case "json":
            from apisnoop.reports import json_text

            return json_text.render_gaps(report)
        case "csv":
            from apisnoop.reports import csv_text

            return csv_text.render_gaps(report)
        case "markdown":
            from apisnoop.reports import markdown

            return markdown.render_gaps(report)
    from apisnoop.reports.table.gaps import render_gaps

    width, colour = terminal(place)
    return render_gaps(report, width=width, color=colour, wide=output == "wide")
