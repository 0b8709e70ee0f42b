"""What is written so that pods are recorded, and are not."""

import msgspec
import pytest

from apisnoop.fleet.kinds import DEPLOYMENT, NAMESPACE, POD
from apisnoop.fleet.marking import end_to_come, switch_off, switch_on
from apisnoop.moments import moment_text
from apisnoop.node.wanted import LEGACY_MARK, MARK, RESET, UNTIL, Metadata, read_marks, wanted
from tests.fleet.things import NOW, metadata, thing

NOTHING = read_marks("namespace", Metadata(name="shop"))
ASKING = read_marks("namespace", Metadata(name="shop", labels={MARK: "true"}))


def patched(found, change):
    """Apply a merge patch to metadata."""
    for place, values in change["metadata"].items():
        kept = {**(found.get(place) or {}), **values}
        found[place] = {key: value for key, value in kept.items() if value is not None}
    return msgspec.convert(found, Metadata)


def wish(found, above=NOTHING, kind="pod", now=NOW):
    """Decide about a pod that is, or is below, the object."""
    marks = read_marks(kind, found)
    return wanted(marks, [], above, now) if kind == "pod" else wanted(read_marks("pod", Metadata()), [], marks, now)


def test_what_is_written_is_what_the_node_agents_read():
    """A pod so marked is wanted, until then, and with older connections broken if that was asked."""
    found = wish(patched(metadata("web-0"), switch_on(POD, NOW + 600, reset=True)))
    assert found.yes
    assert found.until == NOW + 600
    assert found.reset
    assert not wish(patched(metadata("web-0"), switch_on(POD, NOW + 600, reset=True)), now=NOW + 601).yes


def test_switching_on_again_takes_back_what_was_said_of_the_end():
    """`on` without --for and --reset means without end and without a reset, whatever was said before."""
    before = metadata("web-0", annotations={MARK: "false", UNTIL: moment_text(NOW - 5), RESET: "true"})
    found = wish(patched(before, switch_on(POD, None, reset=False)))
    assert (found.yes, found.until, found.reset) == (True, None, False)


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ({MARK: "true", UNTIL: moment_text(NOW + 5)}, moment_text(NOW + 5)),
        ({MARK: "true", UNTIL: moment_text(NOW - 5)}, ""),
        ({MARK: "true", UNTIL: "soon"}, ""),
        ({MARK: "false", UNTIL: moment_text(NOW + 5)}, ""),
        ({MARK: "true"}, ""),
        ({}, ""),
    ],
)
def test_an_end_is_to_come_where_something_goes_on_until_then(said, ends):
    """Only that is lost when it is switched on without an end."""
    assert end_to_come(POD, thing("web-0", annotations=said).metadata, NOW) == ends
    assert end_to_come(NAMESPACE, thing("shop", "", annotations=said, labels=said).metadata, NOW) == ends


def test_a_namespace_gets_a_label():
    """Admission selects namespaces by labels only."""
    change = switch_on(NAMESPACE, NOW + 60, reset=False)
    assert change["metadata"]["labels"] == {MARK: "true"}
    assert wish(patched(metadata("shop", ""), change), kind="namespace").until == NOW + 60


def test_other_kinds_get_no_label():
    """A Deployment is asked by its annotation."""
    assert set(switch_on(DEPLOYMENT, None, reset=False)["metadata"]) == {"annotations"}


def test_switching_off_leaves_nothing_behind():
    """Everything that asks is taken away, other annotations and labels are left alone."""
    said = {MARK: "true", UNTIL: moment_text(NOW), RESET: "true", LEGACY_MARK: "true", "mine": "1"}
    before = metadata("web-0", annotations=said, labels={MARK: "true", "app": "web"})
    change = switch_off(msgspec.convert(before, Metadata), [NOTHING], NOW)
    after = patched(before, change.patch)
    assert after.annotations == {"mine": "1"}
    assert after.labels == {"app": "web"}
    assert change.said_by == ""


def test_what_is_asked_for_from_above_is_told_no():
    """Off means off: with a namespace that asks, taking the mark away would not do."""
    before = metadata("web-0", annotations={MARK: "true"})
    change = switch_off(msgspec.convert(before, Metadata), [ASKING], NOW)
    assert change.said_by == "namespace shop"
    assert not wish(patched(before, change.patch), ASKING).yes


def test_what_has_ended_above_asks_no_more():
    """A namespace whose time is over needs no contradiction."""
    over = read_marks(
        "namespace", Metadata(name="shop", labels={MARK: "true"}, annotations={UNTIL: moment_text(NOW - 1)})
    )
    assert switch_off(thing("web-0", annotations={MARK: "true"}).metadata, [over], NOW).said_by == ""


def test_nothing_is_written_to_what_says_nothing():
    """An object that is off already is left alone."""
    assert switch_off(thing("web-0").metadata, [NOTHING], NOW).patch is None
