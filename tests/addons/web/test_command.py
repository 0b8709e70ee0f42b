"""`apisnoop-mitmweb` as a process of its own, as its container has it: no home, no writable folder."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.addons.descriptors import files_written, listening
from tests.addons.node.test_loopback import free_port
from tests.addons.web.viewing import write_hash

PROGRAM = [sys.executable, "-c", "from apisnoop_addons.web.command import main; main()"]


@pytest.fixture
def settings(tmp_path):
    """Everything that the viewer needs, and nothing else in its environment."""
    loader = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {
        **loader,
        "APISNOOP_UI_FEED": str(tmp_path / "feed.sock"),
        "APISNOOP_UI_PASSWORD_HASH": str(write_hash(tmp_path)),
        "APISNOOP_UI_LISTEN": f"127.0.0.1:{free_port()}",
        "NODE_NAME": "node-1",
    }


def ask(settings, *words):
    """Run the program to its end."""
    return subprocess.run([*PROGRAM, *words], env=settings, capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def running(settings):
    """Run the viewer for the time of a block, which begins when it listens."""
    with subprocess.Popen(PROGRAM, env=settings, stderr=subprocess.PIPE, text=True, cwd="/") as process:
        try:
            assert "showing calls of node node-1" in process.stderr.readline()
            yield process
        finally:
            process.kill()


def test_it_says_that_it_is_well_while_it_is(settings):
    """The probe asks the running viewer; without one, it fails with a line that says so."""
    with running(settings):
        assert ask(settings, "healthy").returncode == 0
    answer = ask(settings, "healthy")
    assert answer.returncode == 3
    assert answer.stderr.startswith("apisnoop-mitmweb: the viewer is not well: ")
    assert answer.stderr.count("\n") == 1


def test_it_listens_on_one_port_of_loopback_only_and_writes_nothing(settings, tmp_path):
    """No proxy, no folder of mitmproxy's, no files."""
    with running(settings) as process:
        port = int(settings["APISNOOP_UI_LISTEN"].split(":")[1])
        assert listening(process.pid) == [f"0100007F:{port:04X}"]
        assert files_written(process.pid) == []
    assert [path.name for path in tmp_path.iterdir()] == ["hash"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told_to(settings, number):
    """At once, and without complaint."""
    with running(settings) as process:
        process.send_signal(number)
        assert process.wait(20) == 0
        assert "Traceback" not in process.stderr.read()


def test_what_keeps_it_from_starting_is_one_line(settings):
    """Nonsense in the environment, and a port that is taken."""
    answer = ask({**settings, "APISNOOP_UI_FLOWS": "many"})
    assert (answer.returncode, answer.stderr) == (2, "apisnoop-mitmweb: APISNOOP_UI_FLOWS=many is no positive number\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        answer = ask({**settings, "APISNOOP_UI_LISTEN": where})
    assert answer.returncode == 3
    assert answer.stderr.startswith(f"apisnoop-mitmweb: cannot listen on {where}: Address already in use; give another")


def test_the_probe_starts_without_mitmproxy(settings):
    """It runs every minute on every node."""
    code = "import sys, apisnoop_addons.web.command; sys.exit('mitmproxy' in sys.modules or 'tornado' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
