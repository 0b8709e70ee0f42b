"""What the proxy's benchmarks are made of: a server, a load program, and the proxies between them.

Both ends of the load are one Go program (benchmarks/load), TLS on both sides of the proxy. Our proxy is the shipped
entry point: `apisnoop run -- sh`, whose shell starts the load program just as any command of a user would be started.
"""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import yaml

from benchmarks.proxy_certificate import write_certificate

HERE = Path(__file__).parent
PROGRAMS = Path(sys.executable).parent
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

type Starter = Callable[[Sequence[str]], str]
"""Runs a command to its end and returns its output, which is one line."""


class Target:
    """Something to send requests to: the server itself, or a proxy before it."""

    def __init__(self, load: Path, address: str, authority: Path, start: Starter) -> None:
        """`address` is a URL without path, `authority` the PEM file that its certificate chains to."""
        self._load, self._address, self._authority, self._start = load, address, authority, start

    def drive(self, path: str, protocol: int, requests: int, *more: str) -> dict[str, Any]:
        """Ask for a path on several connections; return what the load program measured."""
        where = ("-url", self._address + path, "-ca", str(self._authority))
        options = ("-protocol", str(protocol), "-requests", str(requests), *more)
        result: dict[str, Any] | None = json.loads(self._start([str(self._load), "drive", *where, *options]))
        if result is None or result["errors"]:
            raise RuntimeError(f"of {requests} requests failed: {result or 'all; the load program has said why'}")
        return result


class Proxy(Target):
    """A proxy with processes of its own."""

    def __init__(self, pids: Sequence[int], load: Path, address: str, authority: Path, start: Starter) -> None:
        """`pids` are all that works for it."""
        super().__init__(load, address, authority, start)
        self._pids = tuple(pids)

    def cpu_seconds(self) -> float:
        """Give the processor time it has used, in user space and in the kernel; that of its children is not in it."""
        return sum(_cpu_seconds(pid) for pid in self._pids)

    def resident_bytes(self) -> int:
        """Give the memory it holds."""
        return sum(resident_bytes(pid) for pid in self._pids)


class Rig:
    """A server, and the program to load it with."""

    def __init__(self, folder: Path, load: Path, port: str) -> None:
        self.folder, self.load, self.port = folder, load, port
        self.authority = folder / "chain.pem"
        self.direct = Target(load, f"https://127.0.0.1:{port}", self.authority, _output)


@contextmanager
def rig() -> Iterator[Rig]:
    """Build the load program, and start the server."""
    with tempfile.TemporaryDirectory() as name:
        folder, load = Path(name), Path(name) / "load"
        build_load(load)
        write_certificate(folder)
        with listening(load, "serve", "-certificate", folder / "chain.pem", "-key", folder / "key.pem") as port:
            yield Rig(folder, load, port)


def build_load(path: Path) -> None:
    """Build the load program, to run anywhere on this machine."""
    go = shutil.which("go")
    if go is None:
        raise RuntimeError("the load program needs Go; install it or put it on PATH")
    environment = {**os.environ, "CGO_ENABLED": "0"}
    subprocess.run([go, "build", "-o", path, "."], cwd=HERE / "load", env=environment, check=True)


@contextmanager
def listening(load: Path, *words: str | Path) -> Iterator[str]:
    """Run the load program as a server; give its port."""
    with subprocess.Popen([load, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().strip().rpartition(":")[2]
        finally:
            server.terminate()


@contextmanager
def apisnoop_run(made: Rig, *options: str) -> Iterator[Proxy]:
    """Start `apisnoop run` before the server, with recorder and store, and further options."""
    kubeconfig, shown = made.folder / "kubeconfig", made.folder / "shown"
    kubeconfig.write_text(yaml.safe_dump(_kubeconfig(made)))
    files = (f"--kubeconfig={kubeconfig}", f"--db={made.folder / 'apisnoop.db'}", f"--report={made.folder / 'report'}")
    command = [str(PROGRAMS / "apisnoop"), "run", *files, *options, "--", "sh"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin
        assert process.stdout
        lines: IO[str] = process.stdin
        answers: IO[str] = process.stdout

        def start(words: Sequence[str]) -> str:
            lines.write(f"{shlex.join(words)} || echo null\n")
            return answers.readline()

        lines.write(f'cp "$KUBECONFIG" {shlex.quote(str(shown))}; echo\n')
        answers.readline()
        [entry] = yaml.safe_load(shown.read_text())["clusters"]
        authority = made.folder / "authority.pem"
        authority.write_bytes(b64decode(entry["cluster"]["certificate-authority-data"]))
        yield Proxy([process.pid], made.load, entry["cluster"]["server"], authority, start)
        lines.close()
    if process.returncode:
        raise RuntimeError(f"apisnoop run left with {process.returncode}")


@contextmanager
def mitmdump(made: Rig) -> Iterator[Proxy]:
    """Start stock mitmdump as reverse proxy before the server, with its defaults."""
    both = made.folder / "both.pem"
    both.write_bytes((made.folder / "key.pem").read_bytes() + made.authority.read_bytes())
    with stock(both, f"127.0.0.1:{made.port}", made.authority) as (pid, port):
        yield Proxy([pid], made.load, f"https://127.0.0.1:{port}", made.authority, _output)


@contextmanager
def stock(certificate: Path, server: str, authority: Path) -> Iterator[tuple[int, int]]:
    """Start mitmdump on the server's own address; give its process and its port.

    `server` is ADDRESS:PORT, `certificate` a PEM file with key and chain for clients, `authority` what the server's own
    chains to.
    """
    host = server.rpartition(":")[0]
    with socket.create_server((host, 0)) as probe:
        port = probe.getsockname()[1]
    where = ("--mode", f"reverse:https://{server}", "--listen-host", host, "--listen-port", str(port))
    trust = ("--certs", f"*={certificate}", "--set", f"ssl_verify_upstream_trusted_ca={authority}")
    program = [str(PROGRAMS / "mitmdump"), *where, *trust, "--set", f"confdir={certificate.parent}"]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for((host, port))
            yield process.pid, port
        finally:
            process.terminate()


def resident_bytes(pid: int) -> int:
    """Give the memory that a process holds, shared pages counted in full."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _kubeconfig(made: Rig) -> dict[str, Any]:
    cluster = {"server": f"https://127.0.0.1:{made.port}", "certificate-authority": str(made.authority)}
    return {
        "clusters": [{"name": "bench", "cluster": cluster}],
        "users": [{"name": "bench", "user": {"token": "bench"}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "current-context": "bench",
    }


def _output(words: Sequence[str]) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def _wait_for(address: tuple[str, int]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(address).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)  # another program's start cannot be awaited
        else:
            return
