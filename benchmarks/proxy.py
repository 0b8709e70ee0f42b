"""Requests through the proxy for each second of its processor time, against stock mitmdump under the same load.

Both ends of the load are one Go program (benchmarks/load), TLS on both sides of the proxy, the recorder on. Also: how
fast large bodies pass, and whether memory grows with calls.
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.proxy_certificate import write_certificate
from benchmarks.row import Row

HERE = Path(__file__).parent
OBJECT = "/api/v1/namespaces/shop/pods/web"
ROUNDS = 5
REQUESTS = 2000
WARM_UP = 40_000
MANY = 100_000
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Bench:
    """A server, the programs to load it with, and proxies before it."""

    def __init__(self, folder: Path, load: Path, port: str) -> None:
        self.folder, self.load, self.port = folder, load, port

    def drive(self, port: str, path: str, protocol: int, requests: int, *more: str) -> dict[str, Any]:
        """Ask for a path on several connections; return what the load program measured."""
        command: list[str | Path] = [
            self.load,
            "drive",
            "-url",
            f"https://127.0.0.1:{port}{path}",
            "-ca",
            self.folder / "chain.pem",
        ]
        options = ["-protocol", str(protocol), "-requests", str(requests), *more]
        ran = subprocess.run([*command, *options], check=True, capture_output=True, text=True)
        result: dict[str, Any] = json.loads(ran.stdout)
        if result["errors"]:
            raise RuntimeError(f"{result['errors']} of {requests} requests failed: {result.get('error')}")
        return result

    def per_cpu_second(self, proxy: "Proxy", protocol: int) -> float:
        """Measure requests for each second of the proxy's processor time."""
        before = proxy.cpu_seconds()
        self.drive(proxy.port, OBJECT, protocol, REQUESTS, "-connections", "8")
        return REQUESTS / (proxy.cpu_seconds() - before)


class Proxy:
    """A proxy's process."""

    def __init__(self, pid: int, port: str) -> None:
        self.pid, self.port = pid, port

    def cpu_seconds(self) -> float:
        """Give the processor time it has used, in user space and in the kernel."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_bytes(self) -> int:
        """Give the memory it holds."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE


def run() -> list[Row]:
    """Measure what the proxy takes of processor and memory, and how fast it lets bodies pass."""
    with bench() as rig, ours(rig) as proxy:
        with _stock(rig) as stock:
            rows = [_throughput(rig, proxy, stock, protocol) for protocol in (1, 2)]
        return [*rows, _large(rig, proxy), _memory(rig, proxy)]


def _throughput(rig: Bench, proxy: Proxy, stock: Proxy, protocol: int) -> Row:
    pairs = [[rig.per_cpu_second(one, protocol) for one in (proxy, stock)] for _ in range(ROUNDS + 1)][1:]
    our, peer = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Row(f"proxy, HTTP/{protocol}", our, "requests/CPU s", 2, 3, peer=peer, note="against mitmdump")


def _large(rig: Bench, proxy: Proxy) -> Row:
    def rate(port: str) -> float:
        result = rig.drive(port, f"/bytes?n={64 * 2**20}", 2, 4, "-connections", "1")
        return float(result["bytes"] / result["seconds"] / 1e6)

    through, direct = (statistics.median(rate(port) for _ in range(3)) for port in (proxy.port, rig.port))
    return Row("large bodies, HTTP/2", through, "MB/s", 0.3, 0.5, peer=direct, note="against no proxy")


def _memory(rig: Bench, proxy: Proxy) -> Row:
    for _ in range(2):  # until allocator and tables have their size
        rig.drive(proxy.port, OBJECT, 2, WARM_UP)
    before = proxy.resident_bytes()
    rig.drive(proxy.port, OBJECT, 2, MANY)
    growth = (proxy.resident_bytes() - before) / before * 100
    return Row(f"memory after {MANY:,} calls", growth, "% more", 1, 0.1, at_least=False)


@contextmanager
def bench() -> Iterator[Bench]:
    """Build the load program, and start the server."""
    go = shutil.which("go")
    if go is None:
        raise RuntimeError("the load program needs Go; install it or put it on PATH")
    with tempfile.TemporaryDirectory() as name:
        folder, load = Path(name), Path(name) / "load"
        subprocess.run([go, "build", "-o", load, "."], cwd=HERE / "load", check=True)
        write_certificate(folder)
        serve: list[str | Path] = [load, "serve", "-certificate", folder / "chain.pem", "-key", folder / "key.pem"]
        with subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            yield Bench(folder, load, server.stdout.readline().strip().rpartition(":")[2])
            server.terminate()


@contextmanager
def ours(rig: Bench) -> Iterator[Proxy]:
    """Start the proxy before the server."""
    command = [sys.executable, "-m", "benchmarks.proxy_process", str(rig.folder), rig.port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield Proxy(process.pid, process.stdout.readline().strip())
        process.terminate()


@contextmanager
def _stock(rig: Bench) -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    both = rig.folder / "both.pem"
    both.write_bytes((rig.folder / "key.pem").read_bytes() + (rig.folder / "chain.pem").read_bytes())
    where = ["--mode", f"reverse:https://127.0.0.1:{rig.port}", "--listen-host", "127.0.0.1", "--listen-port", port]
    trust = ["--certs", f"*={both}", "--set", f"ssl_verify_upstream_trusted_ca={rig.folder / 'chain.pem'}"]
    program: list[str | Path] = [
        Path(sys.executable).parent / "mitmdump",
        *where,
        *trust,
        "--set",
        f"confdir={rig.folder}",
    ]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _wait_for(int(port))
        yield Proxy(process.pid, port)
        process.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)  # another program's start cannot be awaited
        else:
            return
