"""Moments as the Kubernetes API writes them."""

import time

import pytest

from apisnoop.moments import moment_text, seconds_of


def test_what_is_written_is_read():
    """To the second."""
    assert moment_text(1_800_000_000.9) == "2027-01-15T08:00:00Z"
    assert seconds_of("2027-01-15T08:00:00Z") == 1_800_000_000


@pytest.mark.parametrize("text", ["2027-01-15T08:00:00", "2027-01-15T09:00:00+01:00", "2027-01-15 08:00"])
def test_a_moment_without_a_zone_is_in_utc(text, monkeypatch):
    """Wherever it is read."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert seconds_of(text) == 1_800_000_000
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["", "soon", "2027-13-01T00:00:00Z", "08:00"])
def test_what_is_no_moment_is_none(text):
    """Others say so."""
    assert seconds_of(text) is None
