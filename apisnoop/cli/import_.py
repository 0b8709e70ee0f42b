"""`apisnoop import`: bring audit logs and other recordings into a store."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from apisnoop.calls.audit.counter import TOO_LONG
from apisnoop.calls.audit.envelopes import NOT_AUDIT, NOT_JSON
from apisnoop.calls.har import BAD_ENTRY, NOT_KUBERNETES
from apisnoop.calls.inputs.errors import InputError
from apisnoop.calls.inputs.recognition import AUDIT, AUTO, HAR
from apisnoop.calls.inputs.source import STANDARD_INPUT, files_in
from apisnoop.calls.reader import reader_names
from apisnoop.cli import candidates
from apisnoop.cli.options import db_option, kubeconfig_options, open_catalogue, spec_option
from apisnoop.cli.progress import Progress
from apisnoop.errors import ExitCode
from apisnoop.reports.wording import counted
from apisnoop.store import queries
from apisnoop.store.importing.follow import Follower
from apisnoop.store.importing.importer import Importer, Settings, UnknownFormatError
from apisnoop.store.importing.late_store import LateStore
from apisnoop.store.importing.pace import Pace
from apisnoop.store.importing.session import EMPTY, Outcome
from apisnoop.store.recordings import recordings_in
from apisnoop.store.store import Store

NAMED = 5
"""Commands and nodes that a warning names."""
MOST_JOBS = 4
POLL_SECONDS = 0.25
FOLLOWING_SECONDS = 1.0

REASONS = {
    NOT_JSON: "no JSON",
    NOT_AUDIT: "no audit event",
    TOO_LONG: "too long to read",
    BAD_ENTRY: "no HAR entry",
    NOT_KUBERNETES: "no request to Kubernetes",
}
"""Words for why a record was not counted; a reader's own reasons are shown as they are."""


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=candidates.files)
@db_option
@spec_option
@kubeconfig_options
@click.option(
    "--format",
    "kind",
    metavar="KIND",
    default=AUTO,
    show_default=True,
    help="What the files are: audit, har, or the name of an installed reader; auto looks at their beginning.",
)
@click.option("--follow", is_flag=True, help="Go on reading as the files grow, through rotation, until Ctrl-C.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    metavar="N",
    help=f"Processes that count a large audit log.  [default: one a core, at most {MOST_JOBS}]",
)
@click.option(
    "--dedupe-ids",
    is_flag=True,
    help="Count an audit id once, for sources that overlap. Slower; compares with imports that used it too.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def import_(  # noqa: PLR0913, PLR0917 - one argument an option, given by name
    files: tuple[str, ...],
    db: Path,
    spec: str | None,
    kubeconfig: Path | None,
    context: str | None,
    kind: str,
    follow: bool,
    jobs: int | None,
    dedupe_ids: bool,
    output: str,
) -> int:
    """Import audit logs, HAR and flow files into the store.

    A FILE may be compressed with gzip or zstd; - is standard input, and a folder stands for all files below it. What
    was imported before is not counted again, under whatever name: a file that has grown is read on where it ended.
    """
    kinds = (AUTO, AUDIT, HAR, *reader_names())
    if kind not in kinds:
        raise click.BadParameter(f"{kind!r} is none of {', '.join(kinds)}", param_hint="--format")
    catalogue = open_catalogue(spec, kubeconfig, context)
    progress = Progress()
    with LateStore(db) as store:
        settings = Settings(kind, jobs or usable_cores(), dedupe_ids, Pace(FOLLOWING_SECONDS) if follow else Pace())
        importer = Importer(store, catalogue, settings, progress)
        say = Announcer(store, show_json if output == "json" else show_text)
        if follow:
            follow_files(importer, files, say)
        failed = import_files(importer, files, progress, say)
        if output == "text" and (store.is_open or not failed):
            show_unfinished(store())
        if failed:
            store.discard_unused()
    return ExitCode.UNAVAILABLE if failed else ExitCode.OK


class Announcer:
    """Tells what each input brought, and once if its calls may have been recorded in another way already."""

    def __init__(self, store: LateStore, show: Callable[[Outcome], None]) -> None:
        self._store = store
        self._show = show
        self._has_warned = False

    def __call__(self, outcome: Outcome) -> None:
        """Tell of one input."""
        self._show(outcome)
        explain_gaps(outcome)
        if outcome.last and not self._has_warned:
            self._has_warned = warn_of(watched_during(self._store(), outcome.first, outcome.last))


def usable_cores() -> int:
    """Give the number of processes to count with."""
    return min(len(os.sched_getaffinity(0)), MOST_JOBS)


def import_files(
    importer: Importer, names: tuple[str, ...], progress: Progress, say: Callable[[Outcome], None]
) -> bool:
    """Import one input after another and tell whether any could not be; that does not keep the others from it."""
    failed = False
    for name in names:
        try:
            for file, in_folder in files_in(name):
                failed |= not import_file(importer, file, progress, say, in_folder=in_folder)
        except InputError as error:
            progress.clear()
            complain(str(error))
            failed = True
    return failed


def import_file(
    importer: Importer, name: str, progress: Progress, say: Callable[[Outcome], None], *, in_folder: bool
) -> bool:
    """Import one input; tell whether there was anything in it to count. Raises InputError."""
    try:
        outcome = importer.run(name)
    except UnknownFormatError:
        if not in_folder:
            raise
        progress.clear()
        complain(f"{name} is no recording and was left out")
        return True
    progress.clear()
    say(outcome)
    if holds_nothing(outcome):
        complain(f"input {name} holds no call that could be counted: name another file, or its kind with --format")
        return in_folder
    return True


def holds_nothing(outcome: Outcome) -> bool:
    """Tell whether something was read, and not one call found in it."""
    was_read = bool(outcome.lines and outcome.bad) or outcome.problem not in ("", EMPTY)
    return was_read and not outcome.calls and not outcome.known


def follow_files(importer: Importer, names: tuple[str, ...], say: Callable[[Outcome], None]) -> NoReturn:
    """Follow files until Ctrl-C; nothing that was read by then is lost."""
    if any(name == STANDARD_INPUT or Path(name).is_dir() for name in names):
        raise click.UsageError(
            "--follow takes files: standard input is read to its end without it, and folders are not"
        )
    followers = [Follower(importer, name) for name in names]
    try:
        while True:
            for follower in followers:
                follower.step()
            time.sleep(POLL_SECONDS)  # no event tells of a file growing on every file system that logs lie on
    finally:
        for follower in followers:
            follower.stop()
            for outcome in follower.outcomes:
                say(outcome)


def show_text(outcome: Outcome) -> None:
    """Write what an import brought, for people."""
    if outcome.problem == EMPTY:
        click.echo(f"{outcome.name}: empty, nothing to import")
    elif outcome.known and not outcome.lines:
        click.echo(f"{outcome.name}: nothing new, imported before")
    else:
        click.echo(f"{outcome.name}: {', '.join(account_of(outcome))}")


def account_of(outcome: Outcome) -> Iterator[str]:
    """Tell what became of every record of an input: the first number is the sum of the others."""
    records = outcome.lines - outcome.blank
    several = f" with {outcome.events:,} events" if outcome.events != records else ""
    yield f"{counted(records, 'more record' if outcome.known else 'record')}{several}"
    yield f"{counted(outcome.calls, 'call')} counted"
    if outcome.stages:
        yield f"{counted(outcome.stages, 'earlier stage')} of requests, which count at their end"
    if outcome.duplicates:
        yield counted(outcome.duplicates, "duplicate")
    if outcome.bad:
        yield f"{sum(outcome.bad.values()):,} not counted"


def show_json(outcome: Outcome) -> None:
    """Write what an import brought as a line of JSON."""
    click.echo(msgspec.json.encode(outcome).decode())


def explain_gaps(outcome: Outcome) -> None:
    """Tell what of an input was not counted."""
    for reason, count in outcome.bad.items():
        words = REASONS.get(reason, reason)
        complain(f"{outcome.name}: {count:,} not counted: {words}; the first is {outcome.examples[reason]}")
    if outcome.gap:
        complain(f"{outcome.name}: {outcome.gap}")
    if outcome.problem and outcome.problem != EMPTY:
        complain(f"{outcome.name}: {outcome.problem}; what came before is counted, the rest can be imported later")


def watched_during(store: Store, first: float, last: float) -> list[str]:
    """Name whatever else was recorded into a store between two moments: commands, and pods pulled from nodes."""
    commands = {f"`apisnoop run` of {run.command}" for run in queries.runs_during(store.connection, first, last)}
    nodes = {f"node {one.node}" for one in recordings_in(store.connection, first, last)}
    return [*sorted(commands), *sorted(nodes)]


def warn_of(watched: list[str]) -> bool:
    """Tell that calls of the time of an import are in the store already: nobody can tell them from those of a log."""
    if watched:
        named = ", ".join(watched[:NAMED]) + (", …" if len(watched) > NAMED else "")
        complain(
            f"the same time was recorded into this store already ({named}): if that was on the same cluster, those "
            "calls count twice now. Import into a store of its own (--db FILE); --dedupe-ids compares imports only"
        )
    return bool(watched)


def show_unfinished(store: Store) -> None:
    """Tell how many requests have no end yet."""
    rows = queries.unfinished(store.connection)
    if rows:
        verbs = ", ".join(f"{row.count:,} {row.verb}" for row in rows)
        complain(f"unfinished requests, which count once their end is imported: {verbs}")


def complain(message: str) -> None:
    """Write a message on stderr."""
    click.echo(f"apisnoop: {message}", err=True)
