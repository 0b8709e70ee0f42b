"""What is shown stays bounded."""

from apisnoop_addons.bound import FLOW_BYTES, Bounds, Shelf


def shelf(**bounds: int) -> tuple[Shelf, list[str]]:
    """Give a shelf and the list of what it drops."""
    dropped: list[str] = []
    return Shelf(Bounds(**bounds), dropped.append), dropped


def test_the_oldest_flows_go_first():
    """Above the cap each new flow pushes out the oldest."""
    kept, dropped = shelf(flows=3)
    for name in "abcde":
        kept.put(name, 1)
    assert dropped == ["a", "b"]


def test_a_flow_shown_anew_takes_no_second_place():
    """What has become of a call takes the place of the call."""
    kept, dropped = shelf(flows=2)
    for name in "ababab":
        kept.put(name, 1)
    assert dropped == []


def test_large_flows_push_out_more():
    """The cap on bytes counts what a flow has grown to, so that few large flows take the place of many small ones."""
    kept, dropped = shelf(size=10 * FLOW_BYTES)
    for name in "abcde":
        kept.put(name, 0)
    kept.put("e", 8 * FLOW_BYTES)
    assert dropped == ["a", "b", "c"]


def test_flows_that_were_dropped_weigh_nothing():
    """Room is reckoned by what is there."""
    kept, dropped = shelf(size=4 * FLOW_BYTES)
    for name in "abcdefgh":
        kept.put(name, FLOW_BYTES)
    assert dropped == list("abcdef")


def test_the_newest_flow_stays_even_alone_above_the_cap():
    """One flow larger than everything allowed is still shown."""
    kept, dropped = shelf(size=FLOW_BYTES)
    kept.put("a", 1)
    kept.put("b", 9 * FLOW_BYTES)
    assert dropped == ["a"]
