"""The node agent with 200 pods: how long from what is said to the rule, and how much memory it takes.

The agent is a process of its own. Pods are network namespaces with a process; the API server and the proxy answer at
once, so that what is measured is the agent's own. The rule is there when the kernel says so.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from time import monotonic, perf_counter, sleep
from typing import Any

from apisnoop.node.channel import Channel, close_all, connect
from apisnoop.node.messages import FROM_AGENT, Beat, Drained, Enrol, Enrolled, FromAgent, Hello, Retire
from apisnoop_webhook.authority import tend
from benchmarks.agent_pods import FakePod, pods, wait_for_changes
from benchmarks.agent_server import Server
from benchmarks.row import Row

PODS = 200
TOGGLES = 200
ROUNDS = 3
_PATIENCE = 30.0
_LISTEN = "127.0.0.9:15020"
_PODS, _NAMESPACES = "/api/v1/pods", "/api/v1/namespaces"


def run() -> list[Row]:
    """Return the rows; without root none, for there are no network namespaces to be had."""
    if os.geteuid():
        print("bench: agent needs root: left out", file=sys.stderr)
        return []
    # A node's first process is one that the agent may look into: we are it in a process namespace of our own.
    node = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    measured = subprocess.run([*node, sys.executable, "-m", "benchmarks.agent"], stdout=subprocess.PIPE, check=True)
    alone, together, memory = json.loads(measured.stdout)
    return [
        Row(f"annotation to rule, p99, one of {PODS} pods", alone, "ms", 300, 100, at_least=False),
        Row(f"namespace label to rules of {PODS} pods, p99", together, "ms", 1000, 500, at_least=False),
        Row(f"node agent's memory, {PODS} pods", memory, "MB", 180, 120, at_least=False),
    ]


def measure() -> tuple[float, float, float]:
    """Return the three values; to be run as the first process of a process namespace."""
    kept = tend(None, ("kubernetes.default.svc",), datetime.now(UTC), "")
    with tempfile.TemporaryDirectory(prefix="apisnoop-bench-") as name:
        folder = Path(name)
        (folder / "tls.crt").write_text(kept.leaf.certificate)
        with pods(PODS, folder / "kubelet", kept.trusted) as made:
            server = Server(made)
            with server.serving(), _agent(folder, server.port) as process, _proxy(folder / "agent.sock"):
                together = statistics.median(_all_at_once(server, made) for _ in range(ROUNDS))
                memory = _memory(process.pid)
                alone = [_one(server, made[number % PODS]) for number in range(TOGGLES)]
    return _p99(alone), together, memory


def _all_at_once(server: Server, made: list[FakePod]) -> float:
    """Return the 99th percentile of the milliseconds after which the pods of a namespace have their rules."""
    server.mark(_NAMESPACES, "shop", "labels", {})
    _switched_off(made)
    began = perf_counter()
    server.mark(_NAMESPACES, "shop", "labels", {"apisnoop": "true"})
    return _p99(_until_changed(made, began))


def _one(server: Server, pod: FakePod) -> float:
    """Switch one pod off and on again; return the milliseconds until its rule is there."""
    server.mark(_PODS, pod.uid, "annotations", {"apisnoop": "false"})
    _switched_off([pod])
    began = perf_counter()
    server.mark(_PODS, pod.uid, "annotations", {"apisnoop": "true"})
    (took,) = _until_changed([pod], began)
    return took


def _until_changed(waiting: list[FakePod], began: float) -> list[float]:
    """Return after how many milliseconds a rule of each has changed."""
    took: list[float] = []
    left = list(waiting)
    while left:
        changed = wait_for_changes(left, _PATIENCE)
        assert changed, f"{len(left)} pods have no rule after {_PATIENCE:g} s"
        took += [(perf_counter() - began) * 1000] * len(changed)
        left = [pod for pod in left if pod not in changed]
    return took


def _switched_off(made: list[FakePod]) -> None:
    """Wait until the agent has nothing left in these, and forget what has changed."""
    uids = {pod.uid for pod in made}
    deadline = monotonic() + _PATIENCE
    while uids & {one["uid"] for one in _status()["pods"]}:
        assert monotonic() < deadline, f"pods are not off after {_PATIENCE:g} s"
        sleep(0.05)
    for pod in made:
        pod.forget_changes()


def _status() -> dict[str, Any]:
    with urllib.request.urlopen(f"http://{_LISTEN}/status", timeout=_PATIENCE) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


@contextmanager
def _agent(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    settings = {
        "NODE_NAME": "bench",
        "APISNOOP_AGENT_SOCKET": str(folder / "agent.sock"),
        "APISNOOP_TLS": str(folder),
        "APISNOOP_KUBELET": str(folder / "kubelet"),
        "APISNOOP_LISTEN": _LISTEN,
    }
    command = [sys.executable, "-m", "benchmarks.agent_process", f"http://127.0.0.1:{port}"]
    with (
        (folder / "agent.log").open("wb") as log,
        subprocess.Popen(command, env={**os.environ, **settings}, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


@contextmanager
def _proxy(path: Path) -> Iterator[None]:
    """Take every pod, carry nothing, and say several times a second that all is well."""
    deadline = monotonic() + _PATIENCE
    while not path.exists():  # the agent's first sign of life
        assert monotonic() < deadline, path.with_name("agent.log").read_text()
        sleep(0.05)
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_until_complete, args=(_serve(path),))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        thread.join()
        loop.close()


async def _serve(path: Path) -> None:
    sockets: dict[int, list[int]] = {}

    def hear(message: FromAgent, descriptors: list[int]) -> None:
        if isinstance(message, Enrol):
            sockets[message.enrolment] = descriptors
            channel.send(Enrolled(message.enrolment))
            return
        close_all(descriptors)
        if isinstance(message, Retire):
            close_all(sockets.pop(message.enrolment, []))
            channel.send(Drained(message.enrolment))

    channel = Channel(connect(path), FROM_AGENT, hear, lambda _: None)
    channel.send(Hello())
    with suppress(asyncio.CancelledError):
        while True:
            channel.send(Beat(0.0))
            await asyncio.sleep(0.25)
    channel.close()
    for held in sockets.values():
        close_all(held)


def _memory(pid: int) -> float:
    """Return the megabytes that a process occupies, shared pages counted in full."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


if __name__ == "__main__":
    print(json.dumps(measure()))
