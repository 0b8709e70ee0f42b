"""Asking node agents."""

import contextlib
import io
import threading

import pytest

from apisnoop.cli import agents as module
from apisnoop.cli.agents import answer_of, ask
from apisnoop.cli.port_forward import ForwardError
from apisnoop.node.status import PROXY_PORT, ProxyStatus
from tests.fleet.things import agent


@pytest.fixture
def answering(monkeypatch):
    """Have every agent answer what a test says."""

    def answer(body):
        monkeypatch.setattr(module, "address_of", lambda *_: None)
        monkeypatch.setattr(module, "http_get", lambda *_, **__: contextlib.closing(io.BytesIO(body)))

    return answer


def test_a_node_that_does_not_answer_costs_the_time_of_one_question(monkeypatch):
    """Agent and proxy are asked together, and both are told of."""
    together = threading.Barrier(2, timeout=60)

    def silent(*_, **__):
        together.wait()  # broken, and so another error, if the second came after the first
        raise ForwardError("timed out")

    monkeypatch.setattr(module, "address_of", lambda *_: None)
    monkeypatch.setattr(module, "http_get", silent)
    assert answer_of(None, agent("n1")).trouble == "agent: timed out; proxy: timed out"


@pytest.mark.parametrize("body", [b"\xff", b'{"node":"\xff"}', b"nonsense", b"", b'{"node":1}'])
def test_an_answer_that_cannot_be_read_is_that_nodes_trouble(answering, body):
    """Whatever a node says, the others are told of, too."""
    answering(body)
    with pytest.raises(ForwardError):
        ask(None, agent("n1"), PROXY_PORT, ProxyStatus, 1.0)
    found = answer_of(None, agent("n1"))
    assert (found.agent, found.proxy) == (None, None)
    assert found.trouble.startswith("agent: ")
    assert "; proxy: " in found.trouble
