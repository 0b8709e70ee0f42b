"""`apisnoop-proxy` as a process of its own: what it says when it cannot start, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.addons.node.test_loopback import free_port
from tests.addons.run.pki import Authority

PROGRAM = [sys.executable, "-c", "from apisnoop_addons.node.command import main; main()"]


@pytest.fixture
def settings(tmp_path):
    """Everything that the proxy needs to start, but no agent and no cluster."""
    authority = Authority()
    issued = authority.issue("kubernetes.default.svc", hosts=("kubernetes.default.svc",))
    (tmp_path / "tls.crt").write_bytes(issued.certificate)
    (tmp_path / "tls.key").write_bytes(issued.key)
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
        "APISNOOP_AGENT_SOCKET": str(tmp_path / "agent.sock"),
        "APISNOOP_TLS": str(tmp_path),
        "APISNOOP_CA": str(tmp_path / "ca.crt"),
        "APISNOOP_STORE": str(tmp_path / "apisnoop.db"),
        "APISNOOP_LISTEN": f"127.0.0.1:{free_port()}",
    }


def ask(settings, *words):
    """Run the program to its end."""
    return subprocess.run(
        [*PROGRAM, *words],
        env=settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@contextmanager
def running(settings):
    """Run the proxy for the time of a block, which begins when it answers."""
    with subprocess.Popen(PROGRAM, env=settings, stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr:
                if "matching against" in line:
                    break
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("variable", "value", "said", "code"),
    [
        ("APISNOOP_LISTEN", "0.0.0.0:1", "APISNOOP_LISTEN=0.0.0.0:1 is no loopback address", 2),
        ("APISNOOP_TLS", "/nowhere", "certificate /nowhere cannot be read", 3),
        ("APISNOOP_CA", "/nowhere/ca.crt", "cluster CA /nowhere/ca.crt cannot be read", 3),
        ("APISNOOP_STORE", "/nowhere/apisnoop.db", "/nowhere/apisnoop.db", 3),
    ],
)
def test_what_keeps_it_from_starting_is_one_line(settings, variable, value, said, code):
    """The line names the object, its value and the next step; the exit code tells usage from what is missing."""
    done = ask(settings | {variable: value})
    assert done.returncode == code
    assert done.stderr.startswith("apisnoop-proxy: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_named(settings):
    """Somebody else listens where the proxy is to be asked: exit code 3, with the setting that gives another."""
    host, port = settings["APISNOOP_LISTEN"].split(":")
    with socket.create_server((host, int(port))):
        done = ask(settings)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert f"cannot listen on {host}:{port}" in done.stderr


def test_it_is_healthy_while_it_runs_and_ends_when_told(settings):
    """The probe succeeds while the proxy runs, without agent and cluster too, and fails when it has ended."""
    with running(settings) as process:
        assert ask(settings, "healthy").returncode == 0
        assert ask(settings, "healthy", "--ready").returncode == 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    done = ask(settings, "healthy")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "the proxy is not well" in done.stderr
