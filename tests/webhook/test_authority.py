"""The webhook's own certificate through its life."""

from datetime import UTC, datetime, timedelta

import pytest

from apisnoop_webhook.authority import (
    AUTHORITY_LIFETIME,
    LEAF_LIFETIME,
    NOTHING,
    SETTLE,
    Kept,
    tend,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("apisnoop-webhook.apisnoop.svc", "192.0.2.1")


@pytest.fixture(scope="module")
def first() -> Kept:
    """Give what is kept after the first step."""
    return tend(None, NAMES, NOW, "")


def test_the_first_step_makes_authority_and_leaf(first):
    """The leaf is signed by the authority, and the authority is all that is to be trusted."""
    first.leaf.parsed.verify_directly_issued_by(first.authority.parsed)
    assert first.trusted == first.authority.certificate
    assert first.successor == NOTHING


def test_nothing_is_done_before_it_is_due(first):
    """The very same value comes back, so that nothing is written."""
    assert tend(first, NAMES, NOW + LEAF_LIFETIME / 2, first.trusted) is first


def test_what_is_kept_reads_back_the_same(first):
    """A Secret's data holds all of it."""
    assert Kept.read(first.data()) == first


@pytest.mark.parametrize("broken", [{}, {"ca.crt": "nonsense", "ca.key": "nonsense"}])
def test_an_unusable_secret_is_none(broken):
    """It is begun anew then."""
    assert Kept.read(broken) is None


def test_a_key_of_another_certificate_is_unusable(first):
    """A pair that does not belong together serves nobody."""
    other = tend(None, NAMES, NOW, "")
    assert Kept.read({**first.data(), "tls.key": other.leaf.key}) is None


def test_the_leaf_is_renewed_at_two_thirds_and_the_authority_stays(first):
    """A third of its life is left for what may go wrong."""
    later = tend(first, NAMES, NOW + LEAF_LIFETIME * 0.7, first.trusted)
    assert later.authority == first.authority
    assert later.leaf != first.leaf


def test_another_name_asks_for_another_leaf(first):
    """A leaf for names under which nobody calls is worth nothing."""
    assert tend(first, ("other.example.svc",), NOW, first.trusted).leaf != first.leaf


def test_a_new_authority_is_trusted_before_it_signs_and_the_old_one_until_it_ends(first):
    """At no step of a rotation does the API server meet a leaf whose authority it had no time to hear of."""
    due = NOW + AUTHORITY_LIFETIME * 0.7
    announced = tend(first, NAMES, due, first.trusted)
    assert announced.successor != NOTHING
    assert announced.leaf == first.leaf
    assert announced.trusted == first.authority.certificate + announced.successor.certificate

    unpublished = tend(announced, NAMES, due + SETTLE * 2, first.trusted)
    assert unpublished.authority == first.authority
    early = tend(announced, NAMES, due + SETTLE / 2, announced.trusted)
    assert early.authority == first.authority

    taken = tend(announced, NAMES, due + SETTLE, announced.trusted)
    assert taken.authority == announced.successor
    taken.leaf.parsed.verify_directly_issued_by(taken.authority.parsed)
    assert taken.trusted == taken.authority.certificate + first.authority.certificate

    after = NOW + AUTHORITY_LIFETIME + timedelta(minutes=1)
    assert tend(taken, NAMES, after, taken.trusted).trusted == taken.authority.certificate


def test_no_key_is_in_any_repr(first):
    """A traceback or a log line shows none."""
    assert "PRIVATE" not in repr(first)
