"""Options that several verbs share."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from apisnoop.cli import cluster
from apisnoop.cli.options import (
    db_option,
    kubeconfig_options,
    open_catalogue,
    parse_moment,
    spec_option,
    window_options,
)
from apisnoop.errors import ExitCode
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.document import Problem
from apisnoop.store.window import Window
from tests.cli.reporting import run

STORE = "[env var: APISNOOP_DB; default: apisnoop.db]"
NOW = datetime(2026, 6, 10, 12, tzinfo=UTC).timestamp()


@click.command()
@spec_option
@db_option
@kubeconfig_options
@window_options
def verb(**options: Any) -> None:
    """A verb with all of them."""
    click.echo(repr(sorted(options.items(), key=str)))


def call(*arguments: str, **environment: str) -> Result:
    """Run the verb."""
    return CliRunner().invoke(verb, arguments, env={"APISNOOP_DB": None, **environment})


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-01T10:00:00Z", "2026-06-01T10:00:00+00:00"),
        ("2026-06-01T10:00:00.5+02:00", "2026-06-01T08:00:00.5+00:00"),
        ("2026-06-01 10:00", "2026-06-01T10:00:00+00:00"),
        ("2026-06-01", "2026-06-01T00:00:00+00:00"),
        ("2h", "2026-06-10T10:00:00+00:00"),
        ("7d", "2026-06-03T12:00:00+00:00"),
        ("1w", "2026-06-03T12:00:00+00:00"),
        ("90m", "2026-06-10T10:30:00+00:00"),
        ("1d2h30m5s", "2026-06-09T09:29:55+00:00"),
        ("0s", "2026-06-10T12:00:00+00:00"),
    ],
)
def test_a_moment_is_a_time_a_date_or_a_duration(text: str, moment: str) -> None:
    """RFC 3339, a day at 0:00 UTC, or so long ago."""
    assert parse_moment(text, now=NOW) == datetime.fromisoformat(moment).timestamp()


@pytest.mark.parametrize("text", ["", "yesterday", "2 hours", "2H", "-2h", "2026-13-01", "12:00", "1e3", "h", "\x00"])
def test_anything_else_is_refused_with_the_forms(text: str) -> None:
    """The line shows how each form looks."""
    with pytest.raises(ValueError, match=r"is neither a time \(2026-06-01T10:00:00Z\), a date .* nor a duration"):
        parse_moment(text, now=NOW)


def test_a_duration_has_an_end() -> None:
    """More than a hundred years is a slip of the finger."""
    with pytest.raises(ValueError, match="more than a hundred years"):
        parse_moment("9" * 30 + "w", now=NOW)


def test_without_options_there_are_defaults() -> None:
    """No window, the store in this folder, everything else left open."""
    expected = {"spec": None, "db": Path("apisnoop.db"), "kubeconfig": None, "context": None, "window": Window()}
    assert call().output.strip() == repr(sorted(expected.items(), key=str))


def test_options_become_values() -> None:
    """Paths are paths, and the two ends of the window are one value, in whole hours."""
    result = call(
        *("--since", "2026-06-01T10:30:00Z", "--until", "2026-06-02"),
        *("--db", "x.db", "--kubeconfig", "k", "--context", "c", "--spec", "1.34"),
    )
    hour = int(datetime(2026, 6, 1, 10, tzinfo=UTC).timestamp()) // 3600
    window = Window(hour, hour + 14)
    expected = {"spec": "1.34", "db": Path("x.db"), "kubeconfig": Path("k"), "context": "c", "window": window}
    assert result.output.strip() == repr(sorted(expected.items(), key=str))


def test_the_store_may_come_from_the_environment() -> None:
    """APISNOOP_DB saves writing --db each time; the option goes first."""
    assert "('db', PosixPath('env.db'))" in call(APISNOOP_DB="env.db").output
    assert "('db', PosixPath('x.db'))" in call("--db", "x.db", APISNOOP_DB="env.db").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--since", "soon"], "Invalid value for '--since': 'soon' is neither a time"),
        (["--until", "soon"], "Invalid value for '--until': 'soon' is neither a time"),
        (["--since", "2h", "--until", "3h"], "--since must be earlier than --until"),
    ],
)
def test_a_bad_value_is_a_mistake_of_usage(arguments: list[str], message: str) -> None:
    """Exit code 2 and a line that names option and value."""
    result = call(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_help_names_the_defaults() -> None:
    """What is used when an option is left out is said."""
    shown = " ".join(call("--help").output.split())
    for words in (
        STORE,
        "--spec RELEASE|FILE|URL|cluster",
        "[default: as kubectl",
    ):
        assert words in shown


def test_the_cluster_is_read_with_the_kubeconfig(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What of its API could not be read is said on stderr."""
    asked: list[tuple[Any, Any]] = []
    made = Catalogue([], release="1.36", source="cluster")

    def read(kubeconfig: Path | None, context: str | None) -> tuple[Catalogue, tuple[Problem, ...]]:
        asked.append((kubeconfig, context))
        return made, (Problem("/apis/down/v1", "cannot be read: the server answered 503"),)

    monkeypatch.setattr(cluster, "read_cluster_catalogue", read)
    assert open_catalogue("cluster", Path("k"), "c") is made
    assert asked == [(Path("k"), "c")]
    assert capsys.readouterr().err == "apisnoop: /apis/down/v1 cannot be read: the server answered 503\n"


def test_other_catalogues_need_no_cluster() -> None:
    """A shipped release is chosen, by name or by the server's version."""
    assert open_catalogue("1.32").release == "1.32"
    assert open_catalogue(None, server_version="v1.30.1").release == "1.30"


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("coverage", "--db", "{}"), "--db"),
        (("coverage", "--output-file", "{}"), "--output-file"),
        (("import", "x.log", "--db", "{}"), "--db"),
        (("clear", "--db", "{}"), "--db"),
        (("merge", "a.db", "-o", "{}"), "--output"),
        (("merge", "{}", "-o", "a.db"), "file"),
        (("diff", "{}", "a.db"), "file"),
        (("run", "--db", "{}", "--", "true"), "--db"),
        (("run", "--calls", "{}", "--", "true"), "--calls"),
        (("run", "--report", "{}", "--", "true"), "--report"),
    ],
)
def test_a_folder_in_place_of_a_file_is_no_mistake_of_the_command_line(tmp_path, words, option):
    """It leaves as every file does that cannot be read or written, with one line that names the option."""
    answer = run(*(word.format(tmp_path) for word in words))
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert answer.stderr == f"apisnoop: {option} {tmp_path} is a folder; name a file\n"
