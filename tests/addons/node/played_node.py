"""A node for tests of pods: real redirects in a real network namespace, and an agent that the test plays."""

import asyncio
import ssl
import time
from contextlib import asynccontextmanager, suppress
from unittest.mock import patch

from apisnoop.calls.caller import Caller
from apisnoop.node.channel import Channel, listen
from apisnoop.node.messages import (
    FROM_PROXY,
    Beat,
    Destinations,
    Dial,
    Dialled,
    Enrol,
    Enrolled,
    Hello,
    Identified,
    Identify,
)
from apisnoop_addons.engine.limits import Limits
from apisnoop_addons.engine.proxy import Proxy
from apisnoop_addons.engine.upstream import KeyPair, Upstream
from apisnoop_addons.identify import Identify as IdentifyAddon
from apisnoop_addons.node import pods as pods_module
from apisnoop_addons.node.link import AgentLink
from apisnoop_addons.node.pods import Pods
from apisnoop_addons.record import Record
from apisnoop_addons.stream import Stream
from tests.addons.engine.rig import CATALOGUE
from tests.addons.node.pod_namespace import API, MARK, pod_namespace
from tests.addons.run.pki import Authority
from tests.looped import PATIENCE

POD = Caller(node="n1", namespace="shop", pod="web-0", pod_uid="u1", service_account="shop/web")
NAME = "kubernetes.default.svc"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAudit-Id: a1\r\n\r\nok"


class Noted:
    """Records that a test reads."""

    def __init__(self):
        self.began, self.ended, self.not_seen = [], [], []
        self.confirmed = 0.0
        self.ended_at = []

    def begin(self, caller):
        self.began.append(caller.pod)

    def confirm(self):
        self.confirmed = time.time()

    def end(self, caller, reason, at=None):
        self.ended.append((caller.pod, reason))
        self.ended_at.append(at)

    def unseen(self, caller, reason):
        self.not_seen.append((caller.container, reason))


class Node:
    """One node: the proxy's side is real, the agent's is the test's, the pod is a namespace."""

    def __init__(self, namespace, authority):
        self.namespace = namespace
        self.authority = authority
        self.calls, self.records = [], Noted()
        self.heard = asyncio.Queue()
        self.seen_by_server = []
        self.identified = {"container": "app"}
        self.asked = 0
        self.frozen = False
        self.before_identified = lambda: None
        self.agent = None
        self.pods = None
        self.listening = None
        self.port = 0

    def hear(self, message, _):
        """Answer as an agent does; all but beats and questions is for the test."""
        if self.frozen:
            return
        if isinstance(message, Identify):
            self.asked += 1
            self.before_identified()
            self.agent.send(Identified(message.question, **self.identified))
        elif isinstance(message, Dial):
            with self.namespace.socket(MARK) as sock:
                self.agent.send(Dialled(message.question), [sock])
        elif not isinstance(message, Beat):
            self.heard.put_nowait(message)

    async def accept(self):
        """Take the proxy's connection, as the agent that it finds."""
        sock, _ = await asyncio.get_running_loop().sock_accept(self.listening)
        self.agent = Channel(sock, FROM_PROXY, self.hear, lambda _: None)
        assert await self.heard.get() == Hello()

    def offer(self, number=1):
        """Order that the pod is accepted."""
        with self.namespace.listen(("127.0.0.1", 0)) as listening:
            self.port = listening.getsockname()[1]
            self.agent.send(Enrol(number, POD), [listening])

    def enrol(self):
        """Order that the pod is accepted, and lead its connections there."""
        self.agent.send(Destinations((API,)))
        self.offer()
        self.namespace.redirect(self.port)

    async def connect(self):
        """Connect as the pod's program does."""
        sock = self.namespace.socket()
        try:
            await asyncio.get_running_loop().sock_connect(sock, API)
        except OSError:
            sock.close()
            raise
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        return await asyncio.open_connection(sock=sock, ssl=context, server_hostname=NAME)

    def distrust(self):
        """Connect as a program that knows another authority only, and says so."""
        sock = self.namespace.socket()
        sock.settimeout(10)
        sock.connect(API)
        context = ssl.create_default_context(cadata=Authority("another").pem.decode())
        with sock, suppress(ssl.SSLCertVerificationError):
            context.wrap_socket(sock, server_hostname=NAME).close()

    async def get(self, reader, writer):
        """Make a call."""
        writer.write(b"GET /api/v1/nodes HTTP/1.1\r\nHost: x\r\nUser-Agent: test/1\r\n\r\n")
        return await reader.readexactly(len(ANSWER))

    async def serve(self, reader, writer):
        """Be the API server for one connection."""
        self.seen_by_server.append(writer.get_extra_info("peername"))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(ANSWER)
        writer.close()


@asynccontextmanager
async def node(tmp_path, limits=Limits(), silence=PATIENCE):  # noqa: B008  frozen
    """Start all of it, and wait until the proxy is there; `silence` is when it takes itself to have stood still."""
    authority = Authority()
    issued, shown = authority.issue("server", hosts=(NAME,)), authority.issue("proxy", hosts=(NAME,))
    chain = tmp_path / "chain.pem"
    chain.write_bytes(issued.certificate + issued.key)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(chain)
    with (
        pod_namespace() as namespace,
        listen(tmp_path / "agent.sock") as listening,
        patch.object(pods_module, "SILENCE", silence),
    ):
        one = Node(namespace, authority)
        server = await asyncio.start_server(one.serve, sock=namespace.listen(API), ssl=serving)
        proxy, link = (
            Proxy(Stream(), IdentifyAddon(), Record(CATALOGUE, one.calls.append)),
            AgentLink(tmp_path / "agent.sock"),
        )
        upstream = Upstream(host="", port=0, server_name=NAME, ca_pem=authority.pem)
        one.pods = pods = Pods(
            proxy, link, one.records, upstream, lambda: KeyPair(shown.certificate, shown.key), limits
        )
        await proxy.start()
        tasks = [asyncio.create_task(work) for work in (link.run(pods), pods.run())]
        one.listening = listening
        await one.accept()
        try:
            yield one
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await proxy.stop()
            one.agent.close()
            server.close()
            await server.wait_closed()


@asynccontextmanager
async def enrolled(tmp_path, limits=Limits(), silence=PATIENCE):  # noqa: B008  frozen
    """Start all of it, with a pod whose connections are accepted."""
    async with node(tmp_path, limits, silence) as one:
        one.enrol()
        assert await one.heard.get() == Enrolled(1)
        yield one


def shown_by(writer):
    """Name who ended the TLS of a connection: the proxy, or the server itself."""
    ((_, name),) = writer.get_extra_info("peercert")["subject"][-1]
    return name
