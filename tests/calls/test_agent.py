"""User agents taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.calls.agent import LONGEST, LONGEST_TEST, Agent, parse_agent


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("kubectl/v1.36.3 (linux/amd64) kubernetes/aecb14a", Agent("kubectl", "v1.36.3", "", "")),
        (
            "kube-controller-manager/v1.36.3 (linux/amd64) kubernetes/aecb14a/leader-election",
            Agent("kube-controller-manager", "v1.36.3", "leader-election", ""),
        ),
        (
            "kube-controller-manager/v1.36.3 (linux/amd64) kubernetes/aecb14a/system:serviceaccount:kube-system:job",
            Agent("kube-controller-manager", "v1.36.3", "system:serviceaccount:kube-system:job", ""),
        ),
        (
            "e2e.test/v1.36.0 (linux/amd64) kubernetes/aecb14a -- [sig-apps] Job should run [Conformance]",
            Agent("e2e.test", "v1.36.0", "", "[sig-apps] Job should run [Conformance]"),
        ),
        ("manager/v0.0.0 (linux/amd64) kubernetes/$Format/election", Agent("manager", "v0.0.0", "election", "")),
        ("Helm/3.19", Agent("Helm", "3.19", "", "")),
        ("OpenAPI-Generator/31.0.0/python", Agent("OpenAPI-Generator", "31.0.0", "python", "")),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", Agent("Mozilla", "5.0", "", "")),
        ("curl", Agent("curl", "", "", "")),
        ("/strange/agent", Agent("/strange/agent", "", "", "")),
        ("", Agent("", "", "", "")),
    ],
)  # fmt: skip
def test_an_agent_is_taken_apart(text, agent):
    """Name, version, component and test come out of the forms that clients write; the rest stays empty."""
    assert parse_agent(text) == agent


def test_an_agent_cannot_carry_escape_sequences():
    """Characters that a terminal obeys are dropped, for the agent is the caller's own choice."""
    assert parse_agent("evil\x1b[31m/1\r\n").client == "evil[31m"


@given(st.text(max_size=3000))
def test_every_part_is_bounded(text):
    """No agent, whatever it holds, makes a part longer than its limit or unprintable."""
    agent = parse_agent(text)
    assert all(len(part) <= LONGEST for part in agent[:3])
    assert len(agent.test) <= LONGEST_TEST
    assert all(part.isprintable() for part in agent)
