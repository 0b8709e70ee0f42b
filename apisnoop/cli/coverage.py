"""`apisnoop coverage`: how much of the API was called, by whom, and what in it is worth knowing."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from apisnoop.cli.calls_source import Calls, reading, source_options
from apisnoop.cli.candidates import words
from apisnoop.cli.options import kubeconfig_options, spec_option, window_options
from apisnoop.cli.report import (
    catalogue_for,
    demand_file,
    leave_by,
    output_options,
    terminal,
    write_report,
)
from apisnoop.coverage.gate import Verdict, judge
from apisnoop.coverage.measure import coverage_of
from apisnoop.coverage.report import GATED, CoverageReport, FindingClass
from apisnoop.coverage.share import Count
from apisnoop.coverage.who import Dimension
from apisnoop.store.window import Window

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

FORMATS = ("table", "wide", "json", "csv", "markdown", "html", "junit")
WITH_CALLERS = frozenset({"json", "html"})
"""Formats with room for what everybody called."""


class Classes(click.ParamType[tuple[FindingClass, ...]]):
    """A comma-separated list of the classes that a gate can forbid."""

    name = "classes"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[FindingClass, ...]:
        """Give the classes named, each once; fails naming the unknown one and those there are."""
        if isinstance(value, tuple):
            return value
        known = {kind.value: kind for kind in GATED}
        named = [name.strip() for name in str(value).split(",") if name.strip()]
        for name in named:
            if name not in known:
                self.fail(f"{name!r} is none of {', '.join(known)}", param, ctx)
        return tuple(dict.fromkeys(known[name] for name in named))

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - as click calls it
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> "list[CompletionItem[str]]":
        """Offer the classes that are not in the list yet, after what was typed of it."""
        listed, comma, last = incomplete.rpartition(",")
        used = listed.split(",")
        return words((f"{listed}{comma}{kind}" for kind in GATED if kind not in used), f"{listed}{comma}{last}")


@click.command()
@source_options
@spec_option
@kubeconfig_options
@window_options
@click.option(
    "--by",
    type=click.Choice([dimension.value for dimension in Dimension]),
    help="Tell coverage apart by this property of the caller.",
)
@click.option("--eligible", is_flag=True, help="Leave out the operations that are outside conformance.")
@click.option(
    "--count",
    type=click.Choice([count.value for count in Count]),
    default=Count.OK.value,
    show_default=True,
    help="Whether an operation is hit only by calls answered without an error, or by any.",
)
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Exit 1 if less of the operations that are not deprecated is hit.",
)
@click.option(
    "--fail-on",
    type=Classes(),
    default=(),
    metavar="CLASS,...",
    help=f"Exit 1 if there was any call of these classes: {', '.join(GATED)}.",
)
@output_options(FORMATS)
def coverage(  # noqa: PLR0913, PLR0917 - one argument an option, given by name
    db: Calls,
    spec: str | None,
    kubeconfig: Path | None,
    context: str | None,
    window: Window,
    by: str | None,
    eligible: bool,
    count: str,
    fail_under: float | None,
    fail_on: tuple[FindingClass, ...],
    output: str,
    output_file: Path | None,
) -> int:
    """Report which operations of the API were called, and by whom.

    \b
    apisnoop coverage --since 7d --by workload
    kubectl apisnoop coverage --cluster --by workload
    apisnoop coverage -o html --output-file coverage.html
    apisnoop coverage --fail-under 80 --fail-on deprecated,removed -o junit >coverage.xml
    """
    demand_file(output, output_file)
    with reading(db) as store:
        report = coverage_of(
            store,
            catalogue_for(store, spec, kubeconfig, context),
            window=window,
            eligible=eligible,
            count=Count(count),
            by=Dimension(by) if by else None,
            callers=output in WITH_CALLERS,
        )
    verdicts = judge(report, fail_under, fail_on)
    write_report(render(report, verdicts, output, output_file), output_file)
    return leave_by(verdicts)


def render(report: CoverageReport, verdicts: tuple[Verdict, ...], output: str, place: Path | None) -> str:
    """Render a report in one of FORMATS; a renderer is imported when it is used."""
    # ruff: noqa: PLC0415
    match output:
        case "json":
            from apisnoop.reports import json_text

            return json_text.render_coverage(report, verdicts)
        case "csv":
            from apisnoop.reports import csv_text

            return csv_text.render_coverage(report)
        case "markdown":
            from apisnoop.reports import markdown

            return markdown.render_coverage(report, verdicts)
        case "junit":
            from apisnoop.reports import junit

            return junit.render_coverage(report, verdicts)
        case "html":
            from apisnoop.reports.html import render_coverage_html

            return render_coverage_html(report, verdicts)
    from apisnoop.reports.table import render_coverage

    width, colour = terminal(place)
    return render_coverage(report, width=width, color=colour, wide=output == "wide")
