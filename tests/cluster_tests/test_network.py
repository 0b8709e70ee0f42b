"""The wires: which slots may be used, and the `ip` commands that build them."""

from __future__ import annotations

import pytest

from cluster import network
from cluster.slot import Slot


@pytest.mark.parametrize(
    ("routes", "free"),
    [
        pytest.param([], True, id="no route"),
        pytest.param(["default", "192.0.2.0/24"], True, id="routes elsewhere"),
        pytest.param(["10.89.4.0/24"], False, id="the nodes' network"),
        pytest.param(["10.204.1.0/24"], False, id="a part of the pods' network"),
        pytest.param(["10.0.0.0/8"], False, id="a network around both, as a VPN has it"),
        pytest.param(["0.0.0.0/1", "128.0.0.0/1"], True, id="a default route in halves"),
        pytest.param(["10.204.7.9"], False, id="a single host in it"),
        pytest.param(["10.205.0.0/16", "10.89.5.0/24"], True, id="another cluster's"),
    ],
)
def test_a_slot_is_used_only_where_it_hides_no_route(routes: list[str], free: bool) -> None:
    """A cluster takes no addresses that the machine already knows a way to."""
    assert network.is_free(Slot(4), routes) is free


def test_a_node_knows_the_way_to_the_other_nodes_pods() -> None:
    """Pods of two nodes talk without address translation, so each node routes to the other's range."""
    assert network.node_commands(Slot(1), 2, 2) == [
        "link set lo up",
        "address add 10.89.1.12/24 dev eth0",
        "link set eth0 up",
        "route add default via 10.89.1.1",
        "route add 10.201.1.0/24 via 10.89.1.11",
    ]


def test_the_only_node_needs_no_route_but_the_default() -> None:
    """With one node there is no other to know."""
    assert [command for command in network.node_commands(Slot(1), 1, 1) if command.startswith("route")] == [
        "route add default via 10.89.1.1"
    ]


def test_the_host_reaches_pods_through_their_node() -> None:
    """The API server calls webhooks in pods by their own addresses."""
    assert network.route_commands(Slot(1), 2) == ["route replace 10.201.2.0/24 via 10.89.1.12 dev apisnoop1"]
