"""What the verbs that report share: their output options, the catalogue, and where the text goes."""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from apisnoop.causes import cause_of
from apisnoop.cli.options import FilePath, open_catalogue
from apisnoop.coverage.gate import Verdict
from apisnoop.errors import ApisnoopError, ExitCode, UsageError
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.shipped import nearest_release
from apisnoop.operations.source import shipped_catalogue
from apisnoop.reports.paint import wants_colour
from apisnoop.store import queries
from apisnoop.store.store import Store

BY_SUFFIX = {".json": "json", ".csv": "csv", ".md": "markdown", ".html": "html", ".xml": "junit"}
"""Formats by what a file's name ends with."""


def output_options(formats: Sequence[str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add -o, which gives `output`, and --output-file, which gives a path or None.

    Without -o the file's name tells the format, else it is the first of `formats`.
    """
    suffixes = [suffix for suffix, name in BY_SUFFIX.items() if name in formats]
    default = f"by FILE's name ({', '.join(suffixes)}), else {formats[0]}" if suffixes else formats[0]

    def choose(context: click.Context, option: click.Parameter, value: str | None) -> str:
        # What was given is seen to before what was not, so that the file is known whenever its name matters.
        place = context.params.get("output_file")
        found = value or BY_SUFFIX.get(place.suffix.lower() if isinstance(place, Path) else "", formats[0])
        if found not in formats:
            message = f"{place}: there is no such report in the format {found}, only {', '.join(formats)}: say which"
            raise click.BadParameter(message, context, option)
        return found

    names = click.Choice(formats)
    chosen = click.option("-o", "--output", type=names, callback=choose, help=f"The format.  [default: {default}]")
    place = click.option(
        "--output-file",
        metavar="FILE",
        type=FilePath(),
        help="Write there and not to standard output.",
    )
    return lambda command: chosen(place(command))


def catalogue_for(store: Store, spec: str | None, kubeconfig: Path | None, context: str | None) -> Catalogue:
    """Give the catalogue that `--spec` names, else the shipped one nearest to what the store was recorded against."""
    recorded = next((row for row in queries.catalogues_used(store.connection) if row.release), None)
    if spec is not None or recorded is None:
        return open_catalogue(spec, kubeconfig, context)
    nearest = nearest_release(recorded.release)
    if nearest != recorded.release:
        return shipped_catalogue(nearest, f"the nearest to {recorded.release}, which was recorded against and is not")
    catalogue = shipped_catalogue(nearest, "the release that was recorded against")
    if catalogue.digest == recorded.digest:
        catalogue.source = recorded.source  # it says whether that was the server's own release
    return catalogue


def terminal(place: Path | None) -> tuple[int | None, bool]:
    """Give the width that a table may take and whether it may be coloured, if it is written to `place`.

    What is no terminal has no width (None): nothing is cut that a program or a pager may look for.
    """
    is_terminal = place is None and sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else None
    return width, wants_colour(os.environ, is_terminal=is_terminal)


def write_report(text: str, place: Path | None) -> None:
    """Write a report to a file or to standard output. Raises ApisnoopError where a file cannot be written."""
    if place is None:
        click.echo(text, nl=False, color=True)
        return
    try:
        place.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ApisnoopError(f"{place} cannot be written ({cause_of(error)}): name another --output-file") from error


def demand_file(output: str, place: Path | None) -> None:
    """Refuse to pour a page for browsers over a terminal. Raises UsageError naming the option."""
    if output == "html" and place is None and sys.stdout.isatty():
        raise UsageError("-o html is a page for a browser: add --output-file coverage.html, or redirect the output")


def leave_by(verdicts: Iterable[Verdict]) -> int:
    """Say on stderr which rules of the gate failed, and give the exit code that follows."""
    failed = [verdict for verdict in verdicts if not verdict.passed]
    for verdict in failed:
        click.echo(f"apisnoop: gate failed: {verdict.rule}: {verdict.message}", err=True)
    return ExitCode.FINDINGS if failed else ExitCode.OK
