"""Whatever goes wrong: one clear line with the next step, the right exit code, nothing left behind, nothing lost."""

import base64
import datetime
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apisnoop.coverage.measure import coverage_of
from apisnoop.coverage.sources import WITHOUT_END
from apisnoop.errors import ApisnoopError
from apisnoop.operations.source import load_catalogue
from apisnoop.store import queries
from apisnoop.store.store import Store
from apisnoop_addons.run.child import NotStartedError
from tests.addons.run.conftest import APISNOOP, CLIENT
from tests.addons.run.fake_server import fake_server
from tests.addons.run.pki import DAY, Authority

NO_SERVER = "clusters: [{name: c, cluster: {}}]\n"


@contextmanager
def start(*arguments: str, own_session: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """Start `apisnoop run` with the kubeconfig and store in the current folder, in a process of its own."""
    command = [*APISNOOP, "--kubeconfig", "kubeconfig", "--db", "store.db", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, start_new_session=own_session) as process:
        try:
            yield process
        finally:
            process.kill()


def stored_calls(path: Path) -> int:
    with Store.open(path, read_only=True) as store:
        return sum(use.ok + use.errors for use in queries.uses(store.connection))


def lines_about(text: str, cluster: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(f"apisnoop run: cluster {cluster!r}")]


def test_a_dead_server_is_told(run, kubeconfig):
    """The command gets an answer that it can print, and its exit code is ours."""
    kubeconfig(changes={"server": "https://127.0.0.1:1"})
    ran = run()
    assert ran.code == 1
    assert '"kind": "Status"' in ran.out
    [line] = lines_about(ran.err, "fake")
    assert "https://127.0.0.1:1 refuses connections" in line
    assert "check server in the kubeconfig" in line
    assert "no call was answered" in ran.err
    assert [(call["status"], call["error"]) for call in ran.calls] == [(0, "upstream-error")]


def test_a_dead_server_is_told_to_the_quiet_too(run, kubeconfig):
    """One line, and nothing else: --quiet holds back what is only good to know."""
    kubeconfig(changes={"server": "https://127.0.0.1:1"})
    ran = run(quiet=True)
    [line] = ran.err.splitlines()
    assert line.startswith("apisnoop run: cluster 'fake': https://127.0.0.1:1 refuses connections (Connection refused)")


def test_a_server_that_the_kubeconfig_does_not_trust_is_told(run, kubeconfig):
    """The server gets nothing of what the command sends."""
    kubeconfig(changes={"certificate-authority-data": base64.b64encode(Authority().pem).decode()})
    ran = run()
    [line] = lines_about(ran.err, "fake")
    assert "shows a certificate that the kubeconfig does not trust" in line
    assert "check certificate-authority" in line
    assert ran.code == 1


@pytest.mark.parametrize(
    ("hosts", "lifetime", "told"),
    [
        (("127.0.0.1",), -DAY, "shows a certificate that has expired"),
        (("10.1.2.3",), DAY, "shows a certificate for another address"),
    ],
)
def test_a_certificate_that_is_not_the_servers_any_more_is_told(
    run, kubeconfig, authority, tmp_path, hosts, lifetime, told
):
    """Expired, or for another address."""
    with fake_server(tmp_path, authority.issue("server", hosts=hosts, lifetime=lifetime)) as other:
        kubeconfig(changes={"server": f"https://127.0.0.1:{other.port}"})
        ran = run()
        assert other.seen == []
    [line] = lines_about(ran.err, "fake")
    assert told in line


def test_an_expired_client_certificate_is_told(run, kubeconfig, authority):
    """The server refuses it; the line says why, and whose it is."""
    issued = authority.issue("ann", lifetime=-datetime.timedelta(hours=1))
    data = {"certificate": issued.certificate, "key": issued.key}
    kubeconfig({f"client-{name}-data": base64.b64encode(value).decode() for name, value in data.items()})
    assert "client certificate CN=ann expired on" in run().err


def test_a_server_that_comes_back_is_used_again(run, kubeconfig, authority, tmp_path):
    """Calls while it is away fail; those after it has come back do not."""
    issued = authority.issue("server", hosts=("127.0.0.1",))
    with fake_server(tmp_path, issued) as first:
        port = first.port
    kubeconfig(changes={"server": f"https://127.0.0.1:{port}"})
    os.mkfifo(tmp_path / "away")
    os.mkfifo(tmp_path / "back")
    script = '"$0" "$1" /api; echo >away; read -r _ <back; "$0" "$1" /apis'

    def come_back() -> None:
        (tmp_path / "away").read_bytes()
        with fake_server(tmp_path, issued, port=port):
            (tmp_path / "back").write_text("up\n")
            done.wait()

    done, server = threading.Event(), threading.Thread(target=come_back)
    server.start()
    try:
        ran = run("sh", "-c", script, *CLIENT)
    finally:
        done.set()
        server.join()
    assert [(call["path"], call["status"]) for call in ran.calls] == [("/api", 0), ("/apis", 200)]
    assert "refuses connections" in ran.err


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("no-such-command", 127, "command 'no-such-command' not found"),
        ("/etc/passwd", 126, "command '/etc/passwd' cannot be run: it is not executable"),
    ],
)
def test_a_command_that_is_not_there_is_told_before_anything_else(run, kubeconfig, tmp_path, command, code, message):
    """With the exit codes of shells, and no store is made."""
    kubeconfig()
    with pytest.raises(NotStartedError, match=message) as told:
        run(command)
    assert told.value.exit_code == code
    assert not (tmp_path / "store.db").exists()


def test_a_program_that_the_system_refuses_is_told(run, kubeconfig, tmp_path):
    """What only starting it shows, such as a damaged program, is told alike."""
    kubeconfig()
    (tmp_path / "damaged").write_bytes(b"\x7fELF")
    (tmp_path / "damaged").chmod(0o755)
    with pytest.raises(NotStartedError, match=r"damaged' cannot be run: Exec format error"):
        run("./damaged")


def test_a_command_that_is_killed_ends_the_run_as_a_shell_would_say(run, kubeconfig):
    """128 + 9, and the report comes all the same."""
    kubeconfig()
    ran = run("sh", "-c", '"$0" "$1" /api; kill -9 $$', *CLIENT)
    assert ran.code == 137
    assert "1 call" in ran.err


def test_exit_codes_reach_the_shell(kubeconfig):
    """Through the command line as it is installed."""
    kubeconfig()
    with start("--", "sh", "-c", "exit 42") as process:
        process.communicate()
    assert process.returncode == 42
    with start("--", "no-such-command") as process:
        _, error = process.communicate()
    assert process.returncode == 127
    assert error.decode() == "apisnoop: command 'no-such-command' not found; give its path or install it\n"


def test_a_command_that_kills_us_loses_nothing_it_did_before(kubeconfig, tmp_path):
    """A guard says what happened and tidies up; calls older than the last write are in the store, and every report
    from it says what may be missing."""
    kubeconfig()
    script = '"$0" "$1" /api/v1/namespaces; sleep 2; kill -9 $PPID; "$0" "$1" /api'
    with start("--", "sh", "-c", script, *CLIENT, own_session=True) as process:
        out, error = process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert b"NamespaceList" in out
    assert "apisnoop run: killed before it could report; the calls that had ended are in store.db" in error.decode()
    assert list((tmp_path / "runtime").iterdir()) == []
    assert stored_calls(tmp_path / "store.db") == 1
    with Store.open(tmp_path / "store.db", read_only=True) as store:
        [source] = coverage_of(store, load_catalogue("1.34")).provenance.sources
    assert (source.calls, source.state) == (1, WITHOUT_END)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_us_ends_the_command_and_then_us(kubeconfig, tmp_path, number):
    """The command decides how it ends; the report still comes."""
    kubeconfig()
    script = f'trap \'exit 5\' {number.value}; "$0" "$1" /api; echo ready; while :; do sleep 0.05; done'
    with start("--", "sh", "-c", script, *CLIENT) as process:
        assert process.stdout
        assert b"ready" in process.stdout.readline()
        process.send_signal(number)
        _, error = process.communicate()
    assert process.returncode == 5
    assert "1 call" in error.decode()
    assert list((tmp_path / "runtime").iterdir()) == []


def test_no_kubeconfig_is_told(tmp_path, run):
    """Which file, and how to name another."""
    with pytest.raises(ApisnoopError, match=r"no kubeconfig: .*/kubeconfig not found; name one with"):
        run("true")
    assert not (tmp_path / "store.db").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "has no cluster that can be used"),
        (
            "clusters: [{name: c, cluster: {}}]\ncontexts: [{name: x, context: {cluster: c}}]\ncurrent-context: x",
            "server ''",
        ),
        ("]", "is not YAML"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_told(run, tmp_path, text, message):
    """Before the command is run."""
    (tmp_path / "kubeconfig").write_text(text)
    with pytest.raises(ApisnoopError, match=message):
        run("touch", "ran")
    assert not (tmp_path / "ran").exists()


def test_no_call_at_all_is_told(run, kubeconfig, monkeypatch):
    """A program in a pod that takes the service account is the likeliest reason there."""
    kubeconfig()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert "true runs in a pod, where many programs take the pod's service account" in run("true").err
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    assert "true made none, or it does not read KUBECONFIG" in run("true").err


def test_a_store_that_fails_in_the_end_is_an_error(run, kubeconfig, monkeypatch):
    """The command's own failure goes before ours; a success does not hide that calls were not kept."""
    kubeconfig()
    monkeypatch.setattr(Store, "add", _refuse)
    monkeypatch.setattr("apisnoop_addons.run.conclusion.render", lambda *_, **__: "")
    ran = run()
    assert ran.code == 3
    assert "apisnoop run: 1 calls were not added: store is full" in ran.err
    assert run("sh", "-c", '"$0" "$1" /api; exit 7', *CLIENT).code == 7


def _refuse(*_: object, **__: object) -> None:
    raise ApisnoopError("store is full")


def test_a_report_that_cannot_be_written_is_an_error(run, kubeconfig, tmp_path):
    """The calls are in the store by then."""
    kubeconfig()
    ran = run(report=tmp_path / "nowhere" / "report.txt")
    assert ran.code == 3
    assert "report.txt cannot be written: No such file or directory" in ran.err
    assert stored_calls(tmp_path / "store.db") == 1


def test_a_signal_before_the_command_is_started_ends_the_run(kubeconfig, tmp_path):
    """While the cluster is asked for its version; the command is never run, and nothing is left."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kubeconfig(changes={"server": f"https://127.0.0.1:{silent.getsockname()[1]}"})
        with start("--", "touch", "ran") as process, silent.accept()[0]:
            # Our question has arrived, and waits for its answer.
            process.send_signal(signal.SIGTERM)
            _, error = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert b"Traceback" not in error
    assert not (tmp_path / "ran").exists()
    assert list((tmp_path / "runtime").iterdir()) == []
