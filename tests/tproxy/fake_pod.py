"""A pod that is a network namespace with processes, and the agent around it."""

import asyncio
import os
import subprocess
import sys
import uuid
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from apisnoop.node.wanted import Marks, Wanted
from apisnoop_tproxy.agent import Agent
from apisnoop_tproxy.hierarchy import unified_hierarchy
from apisnoop_tproxy.pod_facts import PodFacts
from tests.tproxy.fake_proxy import FakeProxy
from tests.tproxy.podlike import API, POD_ADDRESS

YES = Wanted(True, "apisnoop=true on pod web")
RESET = Wanted(True, "apisnoop=true on pod web", reset=True)
NO = Wanted(False, "nothing asks for it")
CONTAINER = "c0" * 32
CLIENT = """
import socket, sys
with socket.create_connection(("10.96.0.1", 443), timeout=5) as sock:
    print(*sock.getsockname(), flush=True)
    sys.stdin.read()
"""


class FakePod:
    """A process in a network namespace and in a pod's control group, and what the API server would say of it."""

    def __init__(self, podlike, kubelet):
        self.podlike = podlike
        self.uid = str(uuid.uuid4())
        hierarchy = unified_hierarchy(Path("/proc/self"))
        if hierarchy is None:
            pytest.skip("no unified hierarchy is mounted")
        self.folder = hierarchy.folder / f"apisnoop-test-{os.getpid()}" / f"pod{self.uid}"
        (self.folder / CONTAINER).mkdir(parents=True)
        self.started = []
        self.process = self.start("import sys; sys.stdin.read()")
        volume = kubelet / "pods" / self.uid / "volumes/kubernetes.io~projected/kube-api-access-abcde"
        volume.mkdir(parents=True)
        self.ca_file = volume / "ca.crt"
        self.facts = PodFacts(
            uid=self.uid,
            namespace="shop",
            name="web",
            marks=Marks("pod web"),
            service_account="shop/web",
            addresses=frozenset({POD_ADDRESS}),
            containers={CONTAINER: "app"},
        )

    def start(self, code):
        """Start a Python program in the container."""
        group = self.folder / CONTAINER / "cgroup.procs"

        def join():
            os.setns(self.podlike.namespace, os.CLONE_NEWNET)
            group.write_text("0")

        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=join,  # noqa: PLW1509 - it only makes system calls
        )
        self.started.append(process)
        return process

    def connect(self):
        """Open an API connection from inside the container; return its process and the near end."""
        process = self.start(CLIENT)
        host, port = process.stdout.readline().split()
        return process, (host, int(port))

    def stop(self, process):
        """End one of its processes."""
        self.started.remove(process)
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()

    def end(self):
        """End all its processes."""
        for process in list(self.started):
            self.stop(process)

    def close(self):
        """Leave nothing behind."""
        self.end()
        for folder in (self.folder / CONTAINER, self.folder, self.folder.parent):
            with suppress(OSError):
                folder.rmdir()

    def table(self):
        """Look for our table."""
        return self.podlike.table()

    def redirected(self, listener):
        """Tell whether a new connection is led to the proxy."""
        with self.podlike.connect():
            listener.settimeout(0.2)
            try:
                listener.accept()[0].close()
            except TimeoutError:
                return False
            return True


@asynccontextmanager
async def running(settings, tell=lambda *_: None):
    """Run an agent that knows where the API is."""
    agent = Agent(settings, tell, host=Path("/proc/self"))
    agent.destine([API])
    task = asyncio.create_task(agent.run())
    await asyncio.sleep(0)  # it listens from its first step on
    try:
        yield agent
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def enrolled(settings, pod, wanted=YES, tell=lambda *_: None):
    """Run an agent and a proxy to which a pod's connections are led."""
    async with running(settings, tell) as agent:
        proxy = FakeProxy(settings.socket)
        try:
            agent.update(pod.facts, wanted, "deployment/web")
            await proxy.enrolled()
            await proxy.until(lambda: state(agent, pod) == "intercepting")
            yield agent, proxy
        finally:
            proxy.close()


def state(agent, pod):
    """Say what is so."""
    return agent.pods[pod.uid].state.name
