"""Bodies are passed on as they come."""

from apisnoop_addons.stream import Stream
from tests.addons.flows import make_flow, send, trigger


def test_both_bodies_are_streamed():
    """mitmproxy gathers whatever is not marked so before it says a word of it to the other side."""
    flow = make_flow()
    send([Stream()], flow)
    assert (flow.request.stream, flow.response.stream) == (True, True)


def test_a_call_without_an_answer_is_no_fault():
    """The server may break off first."""
    flow = make_flow()
    trigger([Stream()], "requestheaders", flow)
    trigger([Stream()], "responseheaders", flow)
    assert flow.request.stream is True
    assert flow.response is None
