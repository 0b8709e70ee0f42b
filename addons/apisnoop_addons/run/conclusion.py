"""What a run says at its end: the coverage of what the command did, what went wrong, and the exit code."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from apisnoop.causes import cause_of
from apisnoop.coverage.measure import coverage_of
from apisnoop.errors import ExitCode
from apisnoop.reports.paint import wants_colour
from apisnoop.reports.table import render_coverage
from apisnoop.store.store import Store
from apisnoop_addons.run.advice import advise
from apisnoop_addons.run.notices import Notices
from apisnoop_addons.run.session import Result
from apisnoop_addons.run.settings import Settings


def conclude(result: Result, settings: Settings, environment: Mapping[str, str], notices: Notices) -> int:
    """Report, tell what could not be kept, and return the exit code: the command's own unless only we failed."""
    if not result.run.calls:
        notices.tell(advise(settings.command, environment))
    elif not has_answers(result):
        notices.tell("no call was answered, so there is no coverage to report")
    troubles = [*result.troubles, *_report(result, settings, environment)]
    for trouble in troubles:
        sys.stderr.write(f"apisnoop run: {trouble}\n")
    return result.ended.code or (ExitCode.UNAVAILABLE if troubles else ExitCode.OK)


def has_answers(result: Result) -> bool:
    """Tell whether any call was answered by a server."""
    return any(key.status for key, _ in result.total.tallies())


def _report(result: Result, settings: Settings, environment: Mapping[str, str]) -> list[str]:
    """Write the report where it was asked for; return what went wrong."""
    if settings.report is not None:
        return _write_report(settings.report, render(result, settings.db))
    if has_answers(result) and not settings.quiet:
        is_terminal = sys.stderr.isatty()
        width = shutil.get_terminal_size().columns if is_terminal else None
        colour = wants_colour(environment, is_terminal=is_terminal)
        sys.stderr.write("\n" + render(result, settings.db, width=width, colour=colour))
    return []


def _write_report(path: Path, text: str) -> list[str]:
    try:
        path.write_text(text)
    except OSError as error:
        return [f"--report {path} cannot be written: {cause_of(error)}; name another file"]
    return []


def render(result: Result, db: Path, *, width: int | None = None, colour: bool = False) -> str:
    """Return the coverage of this run alone, whatever else the store at `db` holds."""
    with Store.open(":memory:") as store:
        store.add(result.total, catalogue=result.catalogue)
        store.save_run(result.run)
        report = coverage_of(store, result.catalogue)
    origin = replace(report.provenance, store=f"this run alone; its calls were added to {db}")
    return render_coverage(replace(report, provenance=origin), width, colour, db=str(db))
