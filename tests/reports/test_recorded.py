"""What reports say of pods recorded in a cluster."""

import json
from dataclasses import replace

import pytest

from apisnoop.coverage.provenance import NotRecorded, Source
from apisnoop.reports import csv_text, junit, markdown
from apisnoop.reports.html import render_coverage_html
from apisnoop.reports.json_text import render_coverage as render_json
from apisnoop.reports.origin import empty_explained, origin, source_lines
from apisnoop.reports.recorded import SHOWN, cautions, not_recorded_summary
from apisnoop.reports.table import render_coverage
from apisnoop.reports.table.gaps import render_gaps
from apisnoop.reports.wording import length
from tests.coverage.recording import NINE
from tests.reports.golden import compare


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (185, "3 min 5 s"),
        (3600, "1 h"),
        (7830, "2 h 10 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_lengths_have_two_units(seconds, text):
    """What matters is the magnitude; short gaps keep a decimal."""
    assert length(seconds) == text


def test_a_terminal_shows_who_was_recorded_and_what_was_missed(request, cluster_recording):
    """The caution stands above the figures, pods and gaps below them."""
    compare(request, "coverage-cluster.txt", render_coverage(cluster_recording, width=120))


def test_every_format_tells_of_the_gaps(cluster_recording):
    """A reader of any of them learns that not all was recorded, and when."""
    texts = [
        render_coverage(cluster_recording),
        render_coverage_html(cluster_recording),
        markdown.render_coverage(cluster_recording),
        csv_text.render_coverage(cluster_recording),
        junit.render_coverage(cluster_recording),
    ]
    for text in texts:
        assert "the node agent was lost" in text
        assert "2 gaps, 30 s in all, 1 not over" in text
        assert "4 connections could not be read" in text
    document = json.loads(render_json(cluster_recording))["origin"]["recordings"]
    assert (document["gap_count"], document["gap_seconds"], document["open_gap_count"]) == (2, 30.0, 1)
    assert [gap["reason"] for gap in document["gaps"]] == ["the node agent was lost", "the proxy was stopped"]


def test_the_cautions_come_before_the_figures(cluster_recording, gaps):
    """Coverage and gaps alike: what seems not called may have been called meanwhile."""
    ranking = replace(gaps, provenance=cluster_recording.provenance)
    for text in (
        render_coverage(cluster_recording),
        render_gaps(ranking),
        markdown.render_gaps(ranking),
        markdown.render_coverage(cluster_recording),
        render_coverage_html(cluster_recording),
    ):
        assert 0 < text.index("ecorded with 2 gaps") < text.index("node-1: ")


def test_a_report_without_pods_says_nothing_of_them(report):
    """Neither heading nor key."""
    assert not {"recorded", "gaps", "not seen"} & {heading for heading, _ in origin(report.provenance)}
    assert "recordings" not in json.loads(render_json(report))["origin"]
    assert cautions(report.provenance) == []


def test_unseen_connections_are_not_said_twice(cluster_recording):
    """They stand under a heading of their own, other losses under theirs."""
    said = dict(origin(cluster_recording.provenance))
    assert said["not seen"][1:] == ["shop/web-1 container app: 4 connections (client-certificate)"]
    assert said["not counted"] == ["audit log: bad line: 3, e.g. line 17"]


def test_pods_that_are_not_recorded_are_said_above_and_below(cluster_recording):
    """That they should be, that they are not, and why."""
    seen = cluster_recording.provenance
    skipped = NotRecorded("node-1", "shop", "web-3", "skipped", "it uses the node's network")
    found = replace(seen.recordings, not_recorded=(skipped,), not_recorded_count=1, older_connections=5)
    found = replace(found, asked_since=NINE, asked_until=NINE)
    text = render_coverage(replace(cluster_recording, provenance=replace(seen, recordings=found)))
    asked = "when last asked, 2026-06-01 09:00:00 UTC"
    said = f"1 pod that should be recorded was not {asked}: the calls are not known"
    assert text.count(said) == 2
    assert "shop/web-3 on node-1: skipped, it uses the node's network" in text
    assert "4 connections could not be read, 5 connections were older than the recording" in text
    assert f"older than the recording {asked}: the calls" in text


def test_nodes_that_were_asked_one_after_the_other_are_told_with_both_times(cluster_recording):
    """None of them is said to have been asked when it was not."""
    seen = cluster_recording.provenance
    found = replace(seen.recordings, not_recorded_count=2, asked_since=NINE, asked_until=NINE + 60)
    assert not_recorded_summary(found) == (
        "2 pods that should be recorded were not when last asked, from 2026-06-01 09:00:00 UTC to "
        "2026-06-01 09:01:00 UTC: the calls are not known"
    )


def test_long_lists_end_with_how_many_more(cluster_recording):
    """A terminal shows a few, `wide` all that the report lists."""
    seen = cluster_recording.provenance
    pods = tuple(replace(seen.recordings.pods[0], name=f"web-{number}") for number in range(20))
    many = replace(seen, recordings=replace(seen.recordings, pods=pods, pod_count=25))
    assert dict(origin(many))["recorded"][-1] == f"… {25 - SHOWN} more"
    assert dict(origin(many, None))["recorded"][-1] == "… 5 more"
    wide = render_coverage(replace(cluster_recording, provenance=many), wide=True)
    assert "shop/web-19 on node-1" in wide


def test_pods_that_were_watched_and_called_nothing_are_told_so(cluster_recording):
    """Watched without a gap, silence means something; with one it does not."""
    seen = replace(cluster_recording.provenance, calls=0)
    assert empty_explained(seen).endswith("This says nothing about what was called.")
    whole = replace(seen.recordings, gaps=(), gap_count=0, open_gap_count=0, not_seen=(), not_seen_count=0)
    said = empty_explained(replace(seen, recordings=whole))
    assert said.endswith("2 pods were recorded for 1 h 2 min in all and made none.")


def test_a_node_without_an_answer_is_a_caution():
    """Its calls are missing, which the figures do not show."""
    state = "no answer at 2026-06-01 09:00:00 UTC (connection refused): later calls are missing"
    stores = [Source("node", "n1", 5, None, NINE, state), Source("node", "n1", 2, None, NINE - 9, state)]
    assert source_lines(stores) == [f"node n1 (7 calls of 2 stores, snapshot of 2026-06-01 09:00:00 UTC, {state})"]
    assert source_lines([Source("node", "n2", 5, None, NINE)]) == [
        "node n2 (5 calls, snapshot of 2026-06-01 09:00:00 UTC)"
    ]
