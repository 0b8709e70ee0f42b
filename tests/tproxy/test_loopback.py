"""What the agent tells on loopback, with a pod that is a network namespace."""

import json
import socket
import threading
import time
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from click.testing import CliRunner

from apisnoop.errors import ApisnoopError
from apisnoop_tproxy import main
from apisnoop_tproxy.loopback import Loopback
from tests.looped import in_loop
from tests.tproxy.fake_pod import NO, YES, enrolled, running
from tests.tproxy.fake_proxy import FakeProxy


class View:
    """Stands for what the cluster has said."""

    complete = True


@asynccontextmanager
async def asked(settings, agent, view=None):
    """Serve, and give a function that asks for a path."""
    async with Loopback(settings, agent, view or View()), aiohttp.ClientSession() as session:

        async def ask(path):
            async with session.get(f"http://{settings.listen[0]}:{settings.listen[1]}{path}") as answer:
                return answer.status, await answer.text()

        yield ask


@pytest.fixture
def served(settings):
    """Give settings with a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return msgspec.structs.replace(settings, listen=free.getsockname())


@in_loop
async def test_the_state_of_the_node_is_told(served, pod):
    """A recorded pod is there with its reason, its moments and the connections that go past the proxy."""
    before = pod.podlike.connect()
    wanted = msgspec.structs.replace(YES, until=time.time() + 600)
    async with enrolled(served, pod, wanted=wanted) as (agent, proxy), asked(served, agent) as ask:
        await proxy.until(lambda: agent.proxy.heard is not None)
        status, text = await ask("/status")
        found = json.loads(text)
        assert (status, found["node"], found["leases"]) == (200, "node1", 1)
        assert found["proxy"]["connected"]
        assert found["proxy"]["heartbeat"].endswith("Z")
        assert found["certificate"]["issuer"] == "CN=kubernetes"
        (one,) = found["pods"]
        assert (one["namespace"], one["name"], one["uid"]) == ("shop", "web", pod.uid)
        assert (one["state"], one["reason"], one["why"]) == ("intercepting", "Wanted", "apisnoop=true on pod web")
        assert one["since"] <= one["until"]
        assert one["existing"] == 1
    before.close()


@in_loop
async def test_what_nobody_wants_is_not_listed(served, pod):
    """Pods that are off are left out, and an agent without proxy and certificate says so."""
    served.certificate.unlink()
    async with running(served) as agent, asked(served, agent) as ask:
        agent.update(pod.facts, NO)
        found = json.loads((await ask("/status"))[1])
        assert (found["pods"], found["proxy"], found["certificate"]) == (
            [],
            {"connected": False, "lag": 0.0, "heartbeat": None},
            None,
        )


@in_loop
async def test_it_is_ready_when_new_pods_would_be_recorded(served, pod):
    """It answers in any case; ready it is with the pods' list and a proxy."""
    view = View()
    view.complete = False
    async with running(served) as agent, asked(served, agent, view) as ask:
        assert await ask("/healthz") == (200, "ok\n")
        assert await ask("/readyz") == (503, "the pods of this node are not known yet\n")
        view.complete = True
        assert await ask("/readyz") == (503, "the node's proxy is not there\n")
        proxy = FakeProxy(served.socket)
        await proxy.until(lambda: agent.served)
        assert await ask("/readyz") == (200, "ok\n")
        proxy.close()


@in_loop
async def test_metrics_are_there_if_wanted(served, pod):
    """Off they are not found; on they count the pod and how long its rule took."""
    async with running(served) as agent, asked(served, agent) as ask:
        assert (await ask("/metrics"))[0] == 404
    counted = msgspec.structs.replace(served, metrics=True)
    async with enrolled(counted, pod) as (agent, _), asked(counted, agent) as ask:
        _, text = await ask("/metrics")
        assert 'apisnoop_agent_pods{state="intercepting"} 1' in text
        assert "apisnoop_agent_to_rule_seconds_count 1" in text


@in_loop
async def test_metrics_can_be_read_from_elsewhere(served, pod):
    """The other address has the figures and nothing else; loopback has them only if that is wanted, too."""
    with socket.create_server(("127.0.0.2", 0)) as free:
        elsewhere = free.getsockname()
    other = msgspec.structs.replace(served, metrics_listen=elsewhere)
    async with running(other) as agent, asked(other, agent) as ask:
        assert (await ask("/metrics"))[0] == 404
    async with running(other) as agent, asked(other, agent):
        async with aiohttp.ClientSession() as session:
            found = {}
            for path in ("/metrics", "/status", "/healthz"):
                async with session.get(f"http://127.0.0.2:{elsewhere[1]}{path}") as answer:
                    found[path] = answer.status
        assert found == {"/metrics": 200, "/status": 404, "/healthz": 404}


@in_loop
async def test_a_taken_port_is_named(served, pod):
    """Who cannot listen says where."""
    async with running(served) as agent:
        with socket.create_server(served.listen), pytest.raises(ApisnoopError, match="APISNOOP_LISTEN"):
            async with Loopback(served, agent, View()):
                pass


@pytest.mark.parametrize(
    ("words", "answer", "code"),
    [
        (["healthy"], b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", 0),
        (["healthy", "--ready"], b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nwhy\n", 3),
        (["healthy"], b"", 3),
    ],
)
def test_the_probe_asks(words, answer, code, monkeypatch):
    """The container's probe fails unless the agent answers well, and says what it said."""
    asked_for = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("APISNOOP_LISTEN", f"127.0.0.1:{listening.getsockname()[1]}")

        def serve():
            sock, _ = listening.accept()
            with sock:
                asked_for.append(sock.recv(1000).split()[1].decode())
                sock.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        result = CliRunner().invoke(main.cli, words)
        thread.join()
    assert (result.exception.exit_code if result.exception else 0) == code
    assert asked_for == ["/readyz" if "--ready" in words else "/healthz"]
