"""The agent with two real workers, which are programs of their own: both record, and one is killed or frozen."""

import asyncio
import signal
import socket
import ssl
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from tests.addons.run.pki import Authority
from tests.looped import eventually, in_loop
from tests.tproxy.fake_pod import YES, running, state
from tests.tproxy.podlike import API
from tests.tproxy.worker import NAME, Said

ROOT = Path(__file__).parents[2]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Worker:
    """One that runs."""

    def __init__(self, process):
        self.process = process
        self.said = []
        self._reading = asyncio.create_task(self._read())

    @property
    def calls(self):
        """The paths of the calls that it has recorded."""
        return [one.call for one in self.said if one.call]

    async def end(self):
        """Kill it, if it has not been."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await self._reading

    async def _read(self):
        while line := await self.process.stdout.readline():
            self.said.append(msgspec.json.decode(line, type=Said))


class Node:
    """A pod whose connections are led to two workers, and an API server that it means."""

    def __init__(self, settings, pod, folder):
        self.settings, self.pod, self.folder = settings, pod, folder
        self.authority = Authority()
        self.agent = None
        self.workers = []
        self.opened = []
        self._paths = 0

    def prepare(self):
        """Issue certificates; return what the API server shows."""
        shown, issued = self.authority.issue("proxy", hosts=(NAME,)), self.authority.issue("server", hosts=(NAME,))
        for name, content in {
            "ca.pem": self.authority.pem,
            "tls.crt": shown.certificate,
            "tls.key": shown.key,
            "server.pem": issued.certificate + issued.key,
        }.items():
            (self.folder / name).write_bytes(content)
        self.settings.certificate.write_bytes(shown.certificate)
        self.pod.ca_file.write_bytes(self.authority.pem)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.folder / "server.pem")
        return context

    async def start(self, number):
        """Start a worker."""
        words = [self.settings.socket, self.folder, str(number), "2"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.tproxy.worker", *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        self.workers.append(Worker(process))
        return self.workers[-1]

    async def connect(self):
        """Connect as the pod's program does."""
        sock = await asyncio.to_thread(self.pod.podlike.run, lambda: socket.create_connection(API, timeout=20))
        sock.setblocking(False)
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        reader, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=NAME)
        self.opened.append(writer)
        return reader, writer

    async def call(self, reader, writer):
        """Make a call on a path of its own; return the path."""
        self._paths += 1
        path = f"/api/v1/namespaces/n{self._paths}/pods"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert await reader.readexactly(len(ANSWER)) == ANSWER
        return path

    async def recorded(self):
        """Make calls on new connections until one is led to a worker; return that connection and the path."""
        while True:
            reader, writer = await self.connect()
            path = await self.call(reader, writer)
            if shown_by(writer) == "proxy":  # else a busy machine has made the agent shed for a moment
                return reader, writer, path

    async def open_at(self, worker):
        """Make connections until one is led to this worker; return that."""
        while True:
            reader, writer, path = await self.recorded()
            await eventually(lambda path=path: any(path in one.calls for one in self.workers))
            if path in worker.calls:
                return reader, writer

    async def serve(self, reader, writer):
        """Be the API server for one connection."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(ANSWER)
        writer.close()


def shown_by(writer):
    """Name who ended the TLS of a connection: the proxy, or the server itself."""
    ((_, name),) = writer.get_extra_info("peercert")["subject"][-1]
    return name


@asynccontextmanager
async def node(settings, pod, folder):
    """Run the agent and two workers, and lead the pod to them."""
    one = Node(settings, pod, folder)
    server = await asyncio.start_server(one.serve, sock=pod.api, ssl=one.prepare())
    try:
        async with running(settings) as one.agent:
            for number in (0, 1):
                await one.start(number)
            one.agent.update(pod.facts, YES)
            await eventually(lambda: state(one.agent, pod) == "intercepting")
            yield one
            for worker in one.workers:
                await worker.end()
    finally:
        for writer in one.opened:
            writer.transport.abort()
        for worker in one.workers:
            await worker.end()
        server.close()


async def ends(reader):
    """Wait until a connection is over, however."""
    with suppress(ConnectionError, ssl.SSLError):
        assert await reader.read() == b""


@in_loop
async def test_two_workers_record_and_one_goes_on_without_the_other(settings, pod, tmp_path):
    """Both record a pod's calls. One is killed: its connections end with it, and no others; no new one is missed."""
    async with node(settings, pod, tmp_path) as one:
        first, second = one.workers
        kept, lost = await one.open_at(first), await one.open_at(second)
        enrolment = one.agent.pods[pod.uid].enrolments.current
        second.process.kill()
        await ends(lost[0])
        await eventually(lambda: not one.agent.proxy.offering)
        made = [await one.call(*kept), *[(await one.recorded())[2] for _ in range(20)]]
        await eventually(lambda: set(made) <= set(first.calls))
        assert one.agent.pods[pod.uid].enrolments.current is enrolment
        assert "worker 1 of the proxy was lost: the other side has gone" in [said.lapsed for said in first.said]
        third = await one.start(1)
        await eventually(lambda: one.agent.proxy.offering)
        await one.open_at(first)
        assert third.calls == [], "it has a share in what is enrolled from now on"


@in_loop
async def test_a_frozen_worker_holds_up_nobody(settings, pod, tmp_path):
    """New connections go past both; what it carried ends. When it goes on, so does recording, with both."""
    async with node(settings, pod, tmp_path) as one:
        _, second = one.workers
        held = await one.open_at(second)
        second.process.send_signal(signal.SIGSTOP)
        await ends(held[0])  # the agent breaks it
        assert state(one.agent, pod) == "shed"
        direct = await one.connect()
        assert shown_by(direct[1]) == "server"
        second.process.send_signal(signal.SIGCONT)
        await eventually(lambda: state(one.agent, pod) == "intercepting")
        for worker in one.workers:
            await one.open_at(worker)
