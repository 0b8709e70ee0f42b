"""What of a node's answer goes into a store."""

from apisnoop.cli.pulling import standings_of
from apisnoop.node.status import AgentPod


def test_only_pods_that_are_missed_are_kept():
    """Those that should be recorded and are not, and those of which some connections are not seen."""
    pods = [
        AgentPod("shop", "fine", "u1", "intercepting"),
        AgentPod("shop", "older", "u2", "intercepting", existing=2),
        AgentPod("shop", "skipped", "u3", "skipped", "it uses the node's network"),
        AgentPod("shop", "waiting", "u4", "waiting", "it has no process yet"),
        AgentPod("shop", "shed", "u5", "shed", "the node's proxy is not well"),
        AgentPod("shop", "leaving", "u6", "draining", existing=1),
    ]
    assert [(one.pod, one.existing) for one in standings_of(pods)] == [
        ("older", 2),
        ("skipped", 0),
        ("waiting", 0),
        ("shed", 0),
    ]
