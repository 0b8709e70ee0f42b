"""`apisnoop diff`: what one recording used and another did not."""

from pathlib import Path

import click

from apisnoop.cli.calls_source import Nodes, cluster_option, reading
from apisnoop.cli.namespaces import install_namespace_option
from apisnoop.cli.options import FilePath, kubeconfig_options, open_catalogue, spec_option, window_options
from apisnoop.cli.report import output_options, terminal, write_report
from apisnoop.coverage.comparison import ComparisonReport, compare
from apisnoop.coverage.share import Count
from apisnoop.errors import ExitCode
from apisnoop.store.window import Window


@click.command()
@click.argument("before", type=FilePath())
@click.argument("after", type=FilePath(), required=False)
@cluster_option
@install_namespace_option
@spec_option
@kubeconfig_options
@window_options
@click.option(
    "--count",
    type=click.Choice([count.value for count in Count]),
    default=Count.OK.value,
    show_default=True,
    help="Whether only calls answered without an error count as use, or any.",
)
@click.option("--exit-code", is_flag=True, help="Exit 1 if there are differences, as git diff does.")
@output_options(("table", "wide", "json", "csv", "markdown"))
def diff(  # noqa: PLR0913, PLR0917 - one argument an option, given by name
    before: Path,
    after: Path | None,
    cluster: bool,
    place: str | None,
    spec: str | None,
    kubeconfig: Path | None,
    context: str | None,
    window: Window,
    count: str,
    exit_code: bool,
    output: str,
    output_file: Path | None,
) -> int:
    """Compare two stores: newly used, no longer used, deprecated.

    Deprecated and no longer served are told by what each store was recorded against; --spec judges by another catalogue
    what an upgrade to it would mean, also for what only BEFORE used.

    \b
    apisnoop diff last-week.db this-week.db --exit-code
    apisnoop diff now.db now.db --spec 1.36
    kubectl apisnoop diff last-week.db --cluster
    """
    if cluster == (after is not None):
        raise click.UsageError("--cluster takes the place of AFTER" if cluster else "name AFTER, or give --cluster")
    later = after or Nodes(kubeconfig, context, place)
    judge = open_catalogue(spec, kubeconfig, context) if spec else None
    with reading(before) as old, reading(later) as new:
        report = compare(old, new, judge=judge, window=window, count=Count(count))
    write_report(render(report, output, output_file), output_file)
    return ExitCode.FINDINGS if exit_code and report.differs else ExitCode.OK


def render(report: ComparisonReport, output: str, place: Path | None) -> str:
    """Render a comparison in one of the formats; a renderer is imported when it is used."""
    # ruff: noqa: PLC0415
    match output:
        case "json":
            from apisnoop.reports import json_text

            return json_text.render_diff(report)
        case "csv":
            from apisnoop.reports import csv_text

            return csv_text.render_diff(report)
        case "markdown":
            from apisnoop.reports import markdown

            return markdown.render_diff(report)
    from apisnoop.reports.table.diff import render_diff

    width, colour = terminal(place)
    return render_diff(report, width=width, color=colour, wide=output == "wide")
