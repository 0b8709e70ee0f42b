"""Batches of calls made by Hypothesis: few kinds of calls, so that they often meet."""

from hypothesis import strategies as st

from apisnoop.calls.caller import Caller
from apisnoop.calls.tally import Loss, TallyBatch
from tests.calls.sample import CATALOGUE

NINE = 1_780_304_400.0
CALLERS = [Caller(namespace="shop", pod="web-1", user="u"), Caller(user="alice", client="kubectl"), Caller()]
URLS = [
    "/api/v1/namespaces/a/pods/p",
    "/api/v1/namespaces/b/pods/q",
    "/api/v1/namespaces/a/pods?watch=1",
    "/apis/example.com/v1/namespaces/a/things/t",
    "/random/path",
    "/healthz",
]

called = st.tuples(
    st.sampled_from(URLS),
    st.sampled_from(CALLERS),
    st.sampled_from([0, 200, 201, 403, 404]),
    st.integers(0, 5 * 3600),
    st.none() | st.integers(0, 1_000_000),
)


def batch_of(calls, losses=()):
    """A batch in which these calls were counted."""
    batch = TallyBatch()
    for url, caller, status, seconds, microseconds in calls:
        duration = None if microseconds is None else microseconds / 1_000_000
        batch.count(CATALOGUE.match("GET", url), caller, status, NINE + seconds, duration)
    for reason, count, example in losses:
        batch.lose(Loss("audit.log", reason), count, at=NINE, example=example)
    return batch


losses = st.lists(
    st.tuples(st.sampled_from(["not-json", "too-long"]), st.integers(1, 9), st.sampled_from(["", "line 1", "line 2"])),
    max_size=3,
)
batches = st.builds(batch_of, st.lists(called, max_size=15), losses)
