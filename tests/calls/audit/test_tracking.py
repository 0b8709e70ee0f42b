"""Unfinished requests across blocks and files."""

from hypothesis import given
from hypothesis import strategies as st

from apisnoop.calls.audit.tracking import Beginning, Stretch, Unfinished


def stretch(begun=(), ended=()):
    made = Stretch()
    made.begun = {hash(audit_id): Beginning(audit_id, "watch", "ResponseStarted", 1.0) for audit_id in begun}
    made.ended.extend(map(hash, ended))
    return made


def ids(added):
    return sorted(beginning.audit_id for beginning in added)


def test_an_end_takes_a_beginning_away():
    """Whether it lies in the same piece, an earlier one or the store."""
    unfinished = Unfinished([Beginning("stored", "watch", "ResponseStarted", 0.0)])
    unfinished.add([stretch(begun=["a", "b"]), stretch(ended=["a", "stored", "never begun"])])
    added, removed = unfinished.changes()
    assert (ids(added), sorted(removed), len(unfinished)) == (["b"], ["a", "stored"], 1)


def test_changes_are_given_once():
    """What was saved is not saved again."""
    unfinished = Unfinished()
    unfinished.add([stretch(begun=["a"])])
    assert ids(unfinished.changes()[0]) == ["a"]
    assert unfinished.changes() == ([], [])
    unfinished.add([stretch(ended=["a"])])
    assert unfinished.changes() == ([], ["a"])


def test_the_oldest_are_forgotten_beyond_the_cap():
    """A log that only begins requests cannot fill the memory."""
    unfinished = Unfinished(cap=3)
    unfinished.add([stretch(begun=list("abcde"))])
    assert (len(unfinished), unfinished.forgotten) == (3, 2)
    assert ids(unfinished.changes()[0]) == ["c", "d", "e"]
    assert unfinished.forgotten == 0


def test_the_further_stage_of_a_request_stays():
    """Workers hand over in any order: an answer that has begun is not forgotten for the request before it."""
    received, started = Stretch(), Stretch()
    received.begun = {hash("a"): Beginning("a", "watch", "RequestReceived", 1.0)}
    started.begun = {hash("a"): Beginning("a", "watch", "ResponseStarted", 1.0)}
    for stretches in ([received, started], [started, received]):
        unfinished = Unfinished()
        unfinished.add(stretches)
        assert [beginning.stage for beginning in unfinished.changes()[0]] == ["ResponseStarted"]


events = st.lists(st.tuples(st.sampled_from(["begin", "end"]), st.sampled_from("abcdefgh")), max_size=30, unique=True)


@given(events, st.integers(0, 30), st.randoms())
def test_the_order_of_stretches_does_not_matter(made, split, chance):
    """Each request begins before it ends, but the pieces may come back from their workers in any order."""
    ordered = sorted(made, key=lambda step: step[0])
    pieces = []
    for part in (ordered[:split], ordered[split:]):
        begun = [audit_id for what, audit_id in part if what == "begin"]
        ended = [audit_id for what, audit_id in part if what == "end"]
        pieces.append(stretch(set(begun) - set(ended), set(ended) - set(begun)))
    chance.shuffle(pieces)
    unfinished = Unfinished()
    unfinished.add(pieces)
    begun = {audit_id for what, audit_id in made if what == "begin"}
    ended = {audit_id for what, audit_id in made if what == "end"}
    assert ids(unfinished.changes()[0]) == sorted(begun - ended)
