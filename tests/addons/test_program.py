"""What containers' programs have in common: exit codes, one line for what goes wrong, and the probe's question."""

import http.server
import threading
from contextlib import contextmanager

import click
import pytest

from apisnoop.errors import ApisnoopError, UsageError
from apisnoop_addons.program import CONTEXT, MOST_TOLD, ask_health, run_program
from tests.addons.node.test_loopback import free_port

USAGE = "Usage: prog [OPTIONS]\nTry 'prog --help' for help.\n\n"


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        (None, 0, ""),
        (ApisnoopError("the disk is full"), 3, "prog: the disk is full\n"),
        (UsageError("X=1 is nonsense"), 2, "prog: X=1 is nonsense\n"),
        (
            click.UsageError("no such option"),
            2,
            f"{USAGE}Error: no such option\n",
        ),
        (KeyboardInterrupt(), 130, "\n"),
    ],
    ids=repr,
)
def test_a_failure_is_one_line_and_a_code(monkeypatch, capsys, failure, code, said):
    """What scripts and people read."""

    @click.command(context_settings=CONTEXT)
    def command():
        if failure is not None:
            raise failure

    monkeypatch.setattr("sys.argv", ["prog"])
    with pytest.raises(SystemExit) as ended:
        run_program(command, "prog")
    assert ended.value.code == code
    assert capsys.readouterr().err == said


@contextmanager
def answering(status, body):
    """Answer every question alike; give where, and the questions."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address, asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("ready", "path"), [(False, "/healthz"), (True, "/readyz")])
def test_the_probe_asks_one_or_the_other(ready, path):
    """Whether it lives, or whether it does its work."""
    with answering(200, b"ok\n") as (address, asked):
        ask_health("the proxy", address, 20, ready=ready)
    assert asked == [path]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (503, b"store is full\n", "the proxy is not ready: store is full"),
        (404, b"", "the proxy is not ready: 404"),
        (503, b"x" * 10_000, "the proxy is not ready: " + "x" * MOST_TOLD),
    ],
)
def test_any_other_answer_says_why(status, body, said):
    """As far as it is a line."""
    with answering(status, body) as (address, _), pytest.raises(ApisnoopError) as raised:
        ask_health("the proxy", address, 20, ready=True)
    assert str(raised.value) == said


def test_no_answer_is_no_health():
    """Nobody listens."""
    with pytest.raises(ApisnoopError, match="the proxy is not well: Connection refused; its log says more"):
        ask_health("the proxy", ("127.0.0.1", free_port()), 20)
