"""The words of the wire."""

import msgspec
import pytest

from apisnoop.calls.caller import Caller
from apisnoop.node.messages import (
    FROM_AGENT,
    FROM_PROXY,
    Beat,
    Destinations,
    Dial,
    Dialled,
    Drained,
    Enrol,
    Enrolled,
    Hello,
    Identified,
    Identify,
    Leaving,
    Over,
    Refused,
    Renewed,
    Retire,
    Unseen,
    encode,
)

AGENT = (
    Destinations((("10.96.0.1", 443), ("fd00::1", 6443))),
    Enrol(7, Caller(node="n1", namespace="shop", pod="web-0", pod_uid="u")),
    Retire(7, cut=True, reason="overload"),
    Identified(1, "app", untouched=True),
    Dialled(2, "no such namespace"),
    Renewed(1.5),
)
PROXY = (
    Hello(1, workers=2),
    Enrolled(7),
    Refused(7, "too many"),
    Drained(7),
    Identify(1, 7, ("10.244.1.2", 40000), ("10.96.0.1", 443)),
    Dial(2, 7, ("10.96.0.1", 443)),
    Unseen(7, "app", "client-certificate"),
    Over(7, "connections"),
    Beat(0.01),
    Leaving(),
)


@pytest.mark.parametrize("message", AGENT, ids=lambda message: type(message).__name__)
def test_the_proxy_hears_what_the_agent_says(message):
    """What the agent encodes is what the proxy decodes."""
    assert FROM_AGENT.decode(encode(message)) == message


@pytest.mark.parametrize("message", PROXY, ids=lambda message: type(message).__name__)
def test_the_agent_hears_what_the_proxy_says(message):
    """What the proxy encodes is what the agent decodes."""
    assert FROM_PROXY.decode(encode(message)) == message


@pytest.mark.parametrize("message", AGENT, ids=lambda message: type(message).__name__)
def test_an_agents_words_are_not_a_proxys(message):
    """A message of the other direction is refused: a proxy cannot enrol anybody."""
    with pytest.raises(msgspec.ValidationError):
        FROM_PROXY.decode(encode(message))
