"""What a report knows of pods recorded in a cluster."""

import pytest

from apisnoop.calls.recording import NOT_SEEN, POD_ENDED, WANTED_NO_MORE, Gap, Recording, Standing
from apisnoop.calls.tally import Loss
from apisnoop.coverage import recorded as module
from apisnoop.coverage.measure import coverage_of
from apisnoop.coverage.provenance import NotRecorded, NotSeen, RecordedPod
from apisnoop.store.pull import note_standings, note_unanswered
from apisnoop.store.recordings import save_recordings
from apisnoop.store.window import Window
from tests.coverage.recording import NINE, recorded

HOUR = 3600


def stretch(start, end, ended="", pod="web-1", node="node-1"):
    """A stretch of recording, in seconds after nine."""
    return Recording(node, "shop", pod, f"uid-{pod}", NINE + start, NINE + end, ended)


@pytest.fixture
def recordings(catalogue):
    """Give what a report says of stretches, losses and a window."""

    def say(*stretches, losses=(), window=None):
        with recorded(catalogue=catalogue, losses=losses) as store:
            with store.transaction():
                save_recordings(store.connection, stretches)
            return coverage_of(store, catalogue, window=window).provenance.recordings

    return say


def test_without_a_cluster_there_is_nothing_to_tell(recordings):
    """A report on an audit log or a run has no such part."""
    assert recordings(losses=[Loss("audit log", "bad line")]) is None


def test_stretches_of_a_pod_add_up_and_what_lies_between_is_a_gap(recordings):
    """The pod was recorded for as long as its stretches, from the first to the last; the rest has its reason."""
    found = recordings(stretch(0, 60, "the node agent was lost"), stretch(90, 100, WANTED_NO_MORE))
    assert found.pods == (RecordedPod("node-1", "shop", "web-1", "uid-web-1", NINE, NINE + 100, 70.0, WANTED_NO_MORE),)
    gap = Gap("node-1", "shop", "web-1", "uid-web-1", NINE + 60, NINE + 90, "the node agent was lost")
    assert (found.gaps, found.gap_count, found.gap_seconds, found.open_gap_count) == ((gap,), 1, 30.0, 0)


def test_time_that_two_proxies_recorded_counts_once(recordings):
    """While one takes over from the other."""
    assert recordings(stretch(0, 60, "the proxy was stopped"), stretch(50, 100)).seconds == 100.0


def test_what_was_switched_off_is_no_gap(recordings):
    """Nobody wanted it meanwhile, or there was nothing left to record."""
    found = recordings(stretch(0, 60, WANTED_NO_MORE), stretch(90, 100, POD_ENDED))
    assert (found.gap_count, found.seconds) == (0, 70.0)


def test_a_gap_that_is_not_over_has_no_length(recordings):
    """Its pod was not heard of again: how long it took is not known, and that it is a gap is."""
    found = recordings(stretch(0, 60, "the proxy was stopped"))
    assert [(gap.start, gap.end) for gap in found.gaps] == [(NINE + 60, None)]
    assert (found.gap_count, found.open_gap_count, found.gap_seconds) == (1, 1, 0.0)


def test_pods_and_nodes_are_counted(recordings):
    """Two pods of one node and one of another; their time is that of all together."""
    found = recordings(stretch(0, 10), stretch(0, 20, pod="web-2"), stretch(5, 35, pod="web-3", node="node-2"))
    assert (found.pod_count, found.node_count, found.seconds) == (3, 2, 60.0)
    assert (found.since, found.until) == (NINE, NINE + 35)
    assert [pod.name for pod in found.pods] == ["web-1", "web-2", "web-3"]


def test_a_window_cuts_recordings_and_gaps(recordings):
    """A gap that begins before the window and ends after it is all there is in it, though no recording touches it."""
    stretches = (stretch(0, HOUR, "lost"), stretch(3 * HOUR, 4 * HOUR), stretch(0, 5 * HOUR, pod="web-2"))
    hours = Window(since=int(NINE) // HOUR + 1, until=int(NINE) // HOUR + 2)
    found = recordings(*stretches, window=hours)
    assert [(gap.start, gap.end) for gap in found.gaps] == [(NINE + HOUR, NINE + 2 * HOUR)]
    assert [(pod.name, pod.seconds) for pod in found.pods] == [("web-1", 0.0), ("web-2", HOUR)]


def test_a_window_that_nobody_recorded_in_says_so(recordings):
    """That the store has recordings of another time is no reason to be silent about this one."""
    found = recordings(stretch(0, 60, WANTED_NO_MORE), window=Window(since=int(NINE) // HOUR + 5))
    assert (found.pod_count, found.since, found.gap_count) == (0, None, 0)


def test_connections_that_could_not_be_read_are_told_with_their_reason(recordings):
    """The most frequent first; other losses are not among them."""
    who = Loss("shop/web-1 container app", f"{NOT_SEEN}client-certificate")
    found = recordings(losses=[who, Loss("audit log", "bad line")])
    assert found.not_seen == (NotSeen("shop/web-1 container app", "client-certificate", 3),)
    assert (found.not_seen_count, found.pod_count) == (3, 0)


def test_pods_that_should_be_recorded_and_are_not_are_told(catalogue):
    """With the reason that their node's agent gave; a recorded pod with older connections is not among them."""
    pods = [
        Standing("shop", "web-1", "u1", "skipped", "it uses the node's network"),
        Standing("shop", "web-2", "u2", "intercepting", "", 2),
        Standing("shop", "web-3", "u3", "shed", "the node's proxy is not well", 3),
    ]
    with recorded(catalogue=catalogue) as store:
        note_standings(store, node="node-1", pods=pods, at=NINE)
        found = coverage_of(store, catalogue).provenance.recordings
    assert found.not_recorded == (
        NotRecorded("node-1", "shop", "web-1", "skipped", "it uses the node's network"),
        NotRecorded("node-1", "shop", "web-3", "shed", "the node's proxy is not well"),
    )
    assert (found.not_recorded_count, found.older_connections, found.pod_count) == (2, 5, 0)


def test_how_pods_stand_is_told_with_its_time_whatever_the_window(catalogue):
    """A report on another time has it too, so it says when the nodes told it, the first and the last of them."""
    with recorded(catalogue=catalogue) as store:
        for number, at in enumerate((NINE + 60, NINE), start=1):
            pods = [Standing("shop", f"web-{number}", f"u{number}", "shed", "the node's proxy is not well", 3)]
            note_standings(store, node=f"node-{number}", pods=pods, at=at)
        later = Window(since=int(NINE) // HOUR + 5)
        found = coverage_of(store, catalogue, window=later).provenance.recordings
    assert (found.not_recorded_count, found.older_connections) == (2, 6)
    assert (found.asked_since, found.asked_until) == (NINE, NINE + 60)


def test_lists_are_bounded_and_counts_are_not(recordings, monkeypatch):
    """A year of pods fits into a report: it lists the latest and counts all."""
    monkeypatch.setattr(module, "MOST", 2)
    found = recordings(*(stretch(at, at + 1, "lost", pod=f"web-{at}") for at in range(5)))
    assert (found.pod_count, found.gap_count) == (5, 5)
    assert [pod.name for pod in found.pods] == ["web-3", "web-4"]
    assert [gap.pod for gap in found.gaps] == ["web-3", "web-4"]


def test_names_are_bounded(recordings):
    """Whoever made a store up does not fill a report."""
    found = recordings(Recording("n" * 999, "s" * 999, "p" * 999, "u" * 999, NINE, NINE + 1, "r" * 999))
    (pod,), (gap,) = found.pods, found.gaps
    assert max(map(len, (pod.node, pod.namespace, pod.name, pod.uid, gap.node, gap.pod))) == 253
    assert len(gap.reason) == 300


def test_a_node_that_did_not_answer_is_missing(catalogue):
    """Its calls are not zero but unknown."""
    with recorded(catalogue=catalogue) as store:
        note_unanswered(store, node="worker-2", reason="connection refused", at=NINE)
        (source,) = coverage_of(store, catalogue).provenance.sources
    assert (source.kind, source.name, source.calls) == ("node", "worker-2", None)
    assert source.state == "no answer at 2026-06-01 09:00:00 UTC (connection refused): its calls are missing"
