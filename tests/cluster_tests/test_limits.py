"""Limits of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster import limits

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("before", "after"), [("128\n", "1024"), ("1024\n", "1024\n"), ("8192\n", "8192\n")])
def test_a_low_limit_is_raised_and_a_high_one_left(
    before: str, after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several clusters need more inotify instances than a distribution gives."""
    limit = tmp_path / "max_user_instances"
    limit.write_text(before)
    monkeypatch.setattr(limits, "_INOTIFY_INSTANCES", limit)
    limits.raise_inotify_limit()
    assert limit.read_text() == after
