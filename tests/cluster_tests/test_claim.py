"""Claiming slots: one holder each, and the dead are cleaned up after."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from cluster import claim, network, slot
from cluster.slot import Slot

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_slots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Slots of the test's own, and a cleaning that touches nothing but their folders."""
    directory = tmp_path / "slots"
    monkeypatch.setattr(slot, "slots_directory", lambda: directory)
    monkeypatch.setattr(claim, "slots_directory", lambda: directory)
    monkeypatch.setattr(claim, "clean", lambda dead: shutil.rmtree(dead.directory))
    monkeypatch.setattr(claim, "clear", lambda _: None)
    monkeypatch.setattr(network, "routes", list)
    return directory


def test_two_holders_have_two_slots() -> None:
    """A slot that is held is passed over, also by the same process."""
    (first, first_lock), (second, second_lock) = claim.claim(), claim.claim()
    assert (first, second) == (Slot(0), Slot(1))
    assert claim.running() == [first, second]
    os.close(first_lock)
    os.close(second_lock)


def test_a_slot_is_free_when_its_last_descriptor_is_closed() -> None:
    """The keeper inherits the descriptor: the slot is held until it ends too."""
    held, lock = claim.claim()
    inherited = os.dup(lock)
    os.close(lock)
    assert claim.running() == [held]
    os.close(inherited)
    assert claim.running() == []


def test_what_a_dead_cluster_left_is_cleaned_before_its_slot_is_used(own_slots: Path) -> None:
    """An unlocked folder is a dead cluster's, whatever its number."""
    for number in ("0", "5"):
        (own_slots / number).mkdir(parents=True)
        (own_slots / number / "leftover").touch()
    claimed, lock = claim.claim()
    assert claimed == Slot(0)
    assert list(claimed.directory.iterdir()) == []
    assert not (own_slots / "5").exists()
    os.close(lock)


def test_a_slot_without_a_folder_is_cleared_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may have removed a dead cluster's folder by hand: what lies elsewhere is then known by its name only."""
    cleared: list[Slot] = []
    monkeypatch.setattr(claim, "clear", cleared.append)
    claimed, lock = claim.claim()
    assert cleared == [claimed]
    os.close(lock)


def test_a_slot_that_cannot_be_cleaned_is_not_used(
    own_slots: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told about and kept for the next try, and the cluster starts in another."""

    def fail(dead: Slot) -> None:
        raise TimeoutError(f"{dead.name} is stuck")

    monkeypatch.setattr(claim, "clean", fail)
    (own_slots / "0").mkdir(parents=True)
    (own_slots / "0" / "leftover").touch()
    claimed, lock = claim.claim()
    assert claimed == Slot(1)
    assert (own_slots / "0" / "leftover").exists()
    assert capsys.readouterr().err == "cluster 0 is dead but cannot be removed: apisnoop0 is stuck\n"
    os.close(lock)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's clusters have routes")
def test_a_slot_whose_addresses_are_taken_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own networks stay reachable."""
    monkeypatch.setattr(network, "routes", lambda: ["10.89.0.0/24", "10.201.7.0/24"])
    claimed, lock = claim.claim()
    assert claimed == Slot(2)
    os.close(lock)


def test_when_no_slot_is_left_the_message_says_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty-two clusters, or a machine that routes all of 10.0.0.0/8."""
    monkeypatch.setattr(network, "is_free", lambda *_: False)
    with pytest.raises(RuntimeError, match=r"no slot of 32 is free: `scripts/cluster status`"):
        claim.claim()
