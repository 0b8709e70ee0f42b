"""The init container that holds a pod back."""

import socket
import threading
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from apisnoop_tproxy import main, wait


@contextmanager
def answering(*answers):
    """Answer one connection after the other with these words, on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            for answer in answers:
                sock, _ = listening.accept()
                with sock:
                    sock.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()
        thread.join()


def test_an_enrolled_pod_goes_on():
    """When the agent says so, there is nothing to report."""
    with answering(b"enrolled\n") as address:
        assert wait.wait(30, address) == ""


def test_a_skipped_pod_goes_on_and_knows_why():
    """The agent's reason is what is reported."""
    with answering(b"skipped: it has no ca.crt\n") as address:
        assert wait.wait(30, address) == "it has no ca.crt"


def test_an_agent_that_leaves_is_asked_again():
    """A connection that ends without an answer is no answer: the agent was replaced meanwhile."""
    with answering(b"", b"enrolled\n") as address:
        assert wait.wait(30, address) == ""


@pytest.mark.parametrize("listening", [True, False])
def test_nobody_waits_for_ever(listening):
    """Whether nobody listens or nobody answers: when the time is over, the pod starts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        if not listening:
            server.close()
        assert "has not answered within 0.2 s" in wait.wait(0.2, address)


def test_the_command_ends_well_and_says_why(monkeypatch):
    """Whatever happens the exit code is 0, and the reason is reported."""
    reported = []
    monkeypatch.setattr(wait, "wait", lambda limit: f"waited {limit:g} s")
    monkeypatch.setattr(wait, "report", reported.append)
    result = CliRunner().invoke(main.cli, ["wait", "--limit=7"])
    assert (result.exit_code, reported) == (0, ["waited 7 s"])
    assert "starts without being recorded: waited 7 s" in result.stderr


def test_the_reason_is_the_containers_last_word(tmp_path):
    """What is reported is where the kubelet reads it."""
    wait.report("it has no ca.crt", tmp_path / "termination-log")
    assert (tmp_path / "termination-log").read_text() == "This pod starts without being recorded: it has no ca.crt\n"
