"""Slots: what follows from a number."""

from __future__ import annotations

from itertools import combinations

from cluster.slot import SLOTS, Slot

LONGEST_DEVICE_NAME = 15
"""IFNAMSIZ of <linux/if.h>, less the final zero."""


def test_no_two_slots_share_an_address() -> None:
    """Two clusters side by side have networks that do not overlap, and loopback addresses of their own."""
    for one, other in combinations(map(Slot, range(SLOTS)), 2):
        assert not one.node_network.overlaps(other.node_network)
        assert not one.cluster_network.overlaps(other.cluster_network)
        assert one.loopback != other.loopback
        assert one.directory != other.directory
        assert one.memory_directory != other.memory_directory


def test_a_nodes_addresses_are_in_its_clusters_networks() -> None:
    """Each node's own address and its pods' lie in what the slot claims, and nodes differ."""
    slot = Slot(3)
    assert slot.host_address in slot.node_network
    for number in (1, 2):
        assert slot.node_address(number) in slot.node_network
        assert slot.pod_network(number).subnet_of(slot.cluster_network)
    assert not slot.pod_network(1).overlaps(slot.pod_network(2))


def test_every_slots_name_fits_a_network_device() -> None:
    """The kernel refuses longer names of devices."""
    assert all(len(Slot(index).name) <= LONGEST_DEVICE_NAME for index in range(SLOTS))
