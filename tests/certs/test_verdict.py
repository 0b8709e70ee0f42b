"""What is kept in the ConfigMap."""

import pytest

from apisnoop.trust_mode import Mode
from apisnoop_certs.verdict import Verdict, read_verdict
from tests.certs.made import NOW

FULL = Verdict(Mode.OWN_CA, "asked for", "apisnoop", NOW, NOW, "a, b", "PEM")


@pytest.mark.parametrize("verdict", [FULL, Verdict(Mode.NONE, "nobody signs")])
def test_it_is_read_as_it_was_written(verdict):
    """Also where a field is empty."""
    assert read_verdict(verdict.data()) == verdict


def test_every_key_is_always_written():
    """Else a value of an earlier verdict would stay beside the new ones."""
    assert Verdict(Mode.NONE, "").data().keys() == FULL.data().keys()


@pytest.mark.parametrize("data", [{}, {"mode": "maybe"}, {**FULL.data(), "not-after": "soon"}])
def test_what_nobody_has_decided_is_no_verdict(data):
    """The chart's empty ConfigMap, or one that was edited."""
    assert read_verdict(data) is None
