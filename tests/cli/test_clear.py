"""`apisnoop clear`."""

import pytest
from click.testing import CliRunner

from apisnoop.calls.caller import Caller
from apisnoop.cli.main import cli
from apisnoop.errors import ExitCode
from apisnoop.store import queries
from apisnoop.store.importing.importer import Importer
from apisnoop.store.store import Store
from tests.calls.sample import CATALOGUE, log
from tests.cli.reporting import run
from tests.store.batches import batch_of
from tests.store.contents import calls_in


@pytest.fixture
def db(tmp_path):
    """A store with five calls in the hour of nine and five in that of eleven."""
    (tmp_path / "audit.log").write_bytes(log([*range(5), *range(7200, 7205)]))
    with Store.open(tmp_path / "apisnoop.db") as store:
        Importer(store, CATALOGUE).run(str(tmp_path / "audit.log"))
    return tmp_path / "apisnoop.db"


def calls(path):
    with Store.open(path, read_only=True) as store:
        return calls_in(store)


def test_everything_goes_without_asking(db):
    """--yes is for scripts."""
    answer = run("clear", "--db", db, "--yes")
    assert (answer.exit_code, answer.stdout) == (ExitCode.OK, f"{db}: 10 calls deleted\n")
    assert calls(db) == 0


def test_what_is_old_goes(db):
    """Whole hours before the moment are deleted."""
    answer = run("clear", "--db", db, "--before", "2026-06-01T11:00:00Z", "--yes")
    assert (answer.exit_code, answer.stdout) == (ExitCode.OK, f"{db}: 5 calls deleted\n")
    assert calls(db) == 5


def test_a_single_call_is_one(tmp_path):
    """Not "1 calls"."""
    (tmp_path / "audit.log").write_bytes(log([0]))
    with Store.open(tmp_path / "a.db") as store:
        Importer(store, CATALOGUE).run(str(tmp_path / "audit.log"))
    assert run("clear", "--db", tmp_path / "a.db", "--yes").stdout.endswith(": 1 call deleted\n")


@pytest.mark.parametrize(("reply", "left"), [("y\n", 0), ("Yes\n", 0), ("n\n", 10), ("\n", 10), ("", 10)])
def test_nothing_goes_before_a_yes(db, reply, left):
    """Whatever writes to standard input can give the answer; it is not asked, for it does not read."""
    result = CliRunner().invoke(cli, ["clear", "--db", str(db)], input=reply)
    assert calls(db) == left
    assert "[y/N]" not in result.output


@pytest.mark.parametrize(("reply", "left"), [("y\n", 0), ("n\n", 10)])
def test_a_person_is_asked(db, reply, left, monkeypatch):
    """On a terminal; what goes is named in the question."""
    monkeypatch.setattr("apisnoop.cli.consent.is_watched", lambda: True)
    result = CliRunner().invoke(cli, ["clear", "--db", str(db)], input=reply)
    assert calls(db) == left
    assert result.stderr.startswith(f"{db}: delete everything in it? [y/N]: ")


def test_a_no_is_confirmed(db):
    """Whoever answers no reads that nothing was deleted; scripts see it by the exit code."""
    result = CliRunner().invoke(cli, ["clear", "--db", str(db)], input="n\n", standalone_mode=False)
    assert result.return_value == ExitCode.INTERRUPTED
    assert result.stderr.endswith(f"{db}: nothing was deleted\n")


def test_a_wrong_time_is_told(db):
    """Exit code 2, and the forms a time may have."""
    answer = run("clear", "--db", db, "--before", "yesterday", "--yes")
    assert answer.exit_code == ExitCode.USAGE
    assert "'yesterday' is neither a time" in answer.stderr
    assert calls(db) == 10


def test_a_missing_store_is_told(tmp_path):
    """Clearing makes no store."""
    answer = run("clear", "--db", tmp_path / "missing.db", "--yes")
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert not (tmp_path / "missing.db").exists()


def test_a_question_that_nobody_answers_names_the_way_without_it(db):
    """At the end of standard input, `clear` asks and deletes nothing, and names the option to go without."""
    answer = run("clear", "--db", db)
    assert (answer.exit_code, answer.stdout) == (ExitCode.USAGE, "")
    assert answer.stderr == (
        f"apisnoop: {db}: nothing was deleted, for nobody can be asked: to delete everything in it, add --yes\n"
    )
    assert calls(db) == 10


@pytest.fixture
def replicas(tmp_path):
    """A store with a call of each of two pods of a deployment."""
    path = tmp_path / "apisnoop.db"
    pods = [Caller(namespace="shop", pod=f"web-{at}", workload="deployment/web") for at in range(2)]
    with Store.open(path) as store:
        store.add(batch_of([("/api/v1/namespaces/a/pods/p", pod, 200, 0, 1) for pod in pods]))
    return path


def test_pods_can_be_forgotten_and_no_call(replicas):
    """What replicas did counts for their workload; how much smaller the store is, is said."""
    answer = run("clear", "--db", replicas, "--before", "2026-06-01T11:00:00Z", "--pods", "--yes")
    assert answer.stdout == f"{replicas}: 2 pods count for their workload, 2 tallies are 1 now\n"
    assert calls(replicas) == 2


def test_forgetting_pods_asks_too(replicas):
    """It cannot be undone."""
    words = ["clear", "--db", str(replicas), "--before", "2026-06-01T11:00:00Z", "--pods"]
    result = CliRunner().invoke(cli, words, input="n\n", standalone_mode=False)
    assert "nothing was deleted" in result.stderr
    with Store.open(replicas, read_only=True) as store:
        assert [caller.pod for caller in queries.callers(store.connection)] == ["web-0", "web-1"]


def test_forgetting_pods_needs_a_time(replicas):
    """The pods of now are what most people ask for."""
    answer = run("clear", "--db", replicas, "--pods", "--yes")
    assert answer.exit_code == ExitCode.USAGE
    assert "--pods forgets which pods made old calls: say how old with --before" in answer.stderr
