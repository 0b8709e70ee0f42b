"""The list of flows that is looked at stays bounded."""

import pytest
from mitmproxy.addons.view import View
from mitmproxy.test import taddons
from mitmproxy.test.tflow import tflow

from apisnoop_addons.bound import FLOW_BYTES, Bound


@pytest.fixture
def view():
    """mitmweb's own list of flows."""
    view = View()
    with taddons.context(view):
        yield view


def add(view: View, bound: Bound, count: int, body: bytes = b"") -> list[str]:
    """Add flows one by one, as they come from the proxy; return their ids."""
    ids = []
    for _ in range(count):
        flow = tflow(resp=True)
        flow.response.content, flow.request.content = body, b""
        view.add([flow])
        bound.requestheaders(flow)
        ids.append(flow.id)
    return ids


def test_the_oldest_flows_go_first(view):
    """Above the cap each new flow pushes out the oldest."""
    ids = add(view, Bound(view, flows=3), 5)
    assert [flow.id for flow in view.resolve("@all")] == ids[2:]


def test_large_bodies_push_out_more_flows(view):
    """The cap on bytes counts bodies, so that few large flows take the place of many small ones."""
    ids = add(view, Bound(view, size=10 * FLOW_BYTES), 5, b"x" * 4 * FLOW_BYTES)
    assert [flow.id for flow in view.resolve("@all")] == ids[3:]


def test_the_newest_flow_stays_even_alone_above_the_cap(view):
    """One flow larger than everything allowed is still shown."""
    ids = add(view, Bound(view, size=FLOW_BYTES), 2, b"x" * 4 * FLOW_BYTES)
    assert [flow.id for flow in view.resolve("@all")] == ids[-1:]
