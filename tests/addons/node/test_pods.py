"""Pods that are recorded: whose calls they are, where they go, and what cannot be read."""

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, suppress

from apisnoop.node.messages import Destinations, Enrol, Enrolled, Over, Unseen
from apisnoop_addons.engine.limits import Limits
from apisnoop_addons.node.pods import OVER_LIMIT, PASSED_THROUGH
from tests.addons.node.played_node import ANSWER, NAME, POD, enrolled, node, shown_by
from tests.addons.node.pod_namespace import API, ELSEWHERE
from tests.looped import eventually, in_loop


async def refused(address, source):
    """Tell whether a connection from another address is closed before anything is said."""
    reader, writer = await asyncio.open_connection(*address, local_addr=(source, 0))
    try:
        return await reader.read(1) == b""
    except ConnectionResetError:
        return True
    finally:
        writer.close()


@asynccontextmanager
async def serving_here(one, tmp_path):
    """Have the API server in the proxy's own network, too; gives its address. Other connections of pods are as ever."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(tmp_path / "chain.pem")
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=serving)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        await server.wait_closed()


@in_loop
async def test_a_pods_calls_are_recorded_as_its_own(tmp_path):
    """The call reaches the server it was meant for, from the pod's namespace, and the record names the container."""
    async with enrolled(tmp_path) as one:
        assert one.records.began == ["web-0"]
        reader, writer = await one.connect()
        assert await one.get(reader, writer) == ANSWER
        await eventually(lambda: one.calls)
        writer.close()
    (call,) = one.calls
    assert (call.caller.pod, call.caller.container) == ("web-0", "app")
    assert call.caller.service_account == ""  # it carried no token: the pod's account has not made it
    assert (call.path, call.status, call.audit_id) == ("/api/v1/nodes", 200, "a1")
    assert one.seen_by_server[0][0] == API[0]


@in_loop
async def test_connections_that_come_by_network_go_where_the_agent_says(tmp_path):
    """Nothing tells where each was going, and the proxy connects there in its own network, without asking the agent."""
    async with node(tmp_path) as one, serving_here(one, tmp_path) as upstream:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            address = listening.getsockname()
            one.agent.send(Enrol(1, POD, upstream, ("127.0.0.1",)), [listening])
        assert await one.heard.get() == Enrolled(1)
        context = ssl.create_default_context(cadata=one.authority.pem.decode())
        reader, writer = await asyncio.open_connection(*address, ssl=context, server_hostname=NAME)
        assert await one.get(reader, writer) == ANSWER
        await eventually(lambda: one.calls)
        writer.close()
        assert await refused(address, "127.0.0.2")
        again = await asyncio.open_connection(*address, ssl=context, server_hostname=NAME)
        assert await one.get(*again) == ANSWER
        again[1].close()
    assert (one.calls[0].caller.pod, one.calls[0].caller.container) == ("web-0", "app")


@in_loop
async def test_connections_to_anywhere_else_are_closed(tmp_path):
    """What is not the API is not carried, were it led here ever so well; nor is who connects to the listener itself."""
    async with enrolled(tmp_path) as one:
        for address in (ELSEWHERE, ("127.0.0.1", one.port)):
            sock = one.namespace.socket()
            await asyncio.get_running_loop().sock_connect(sock, address)
            reader, writer = await asyncio.open_connection(sock=sock)
            writer.write(b"\x16\x03\x01")
            with suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
    assert not one.seen_by_server
    assert not one.calls


@in_loop
async def test_a_client_that_does_not_trust_us_is_told_of(tmp_path):
    """Its connection is closed before anything is sent on, and the agent hears which container it was."""
    async with enrolled(tmp_path) as one:
        await asyncio.to_thread(one.distrust)
        assert await one.heard.get() == Unseen(1, "app", "certificate-rejected")
    assert one.records.not_seen == [("app", "certificate-rejected")]
    assert not one.seen_by_server


@in_loop
async def test_untouched_connections_reach_the_server_itself(tmp_path):
    """TLS is between client and server; that the connection was not seen is counted."""
    async with enrolled(tmp_path) as one:
        one.identified = {"container": "app", "untouched": True}
        reader, writer = await one.connect()
        assert await one.get(reader, writer) == ANSWER
        writer.close()
    assert one.records.not_seen == [("app", PASSED_THROUGH)]
    assert not one.calls


@in_loop
async def test_connections_over_a_pods_limit_are_passed_through(tmp_path):
    """The agent is told, which lets the pod go; until then its client meets the server itself, as without us."""
    async with enrolled(tmp_path, Limits(connections=1, passed_on=1)) as one:
        first = await one.connect()
        second = await one.connect()
        assert await one.heard.get() == Over(1, "connections")
        assert [shown_by(writer) for _, writer in (first, second)] == ["proxy", "server"]
        assert await one.get(*second) == ANSWER
        assert one.asked == 1, "nobody needs to know which container it is of"
        for _, writer in (first, second):
            writer.close()
    assert one.records.not_seen == [("", OVER_LIMIT)]
    assert not one.calls


@in_loop
async def test_a_socket_that_cannot_be_served_is_refused(tmp_path):
    """The agent hears why, and leads nothing here."""
    async with node(tmp_path) as one:
        one.agent.send(Destinations((API,)))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wrong:
            one.agent.send(Enrol(1, POD), [wrong])
        refused = await one.heard.get()
    assert refused.enrolment == 1
    assert refused.reason
    assert not one.records.began
