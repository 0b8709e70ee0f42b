"""Slots: what keeps several clusters on one machine apart.

A slot is a small number. Every address, device, cgroup and folder of a cluster follows from it, so two clusters never
meet, and a dead one is found without any list of what it made.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

SLOTS = 32
"""How many clusters one machine holds at most: the pod networks 10.200.0.0/16 to 10.231.0.0/16."""

SERVICE_NETWORK = IPv4Network("10.96.0.0/16")
"""The same in every cluster: only a node's own network namespace knows these addresses."""

KUBERNETES_SERVICE = SERVICE_NETWORK[1]
DNS_SERVICE = SERVICE_NETWORK[10]


@dataclass(frozen=True, slots=True)
class Slot:
    """One cluster's place on this machine; every value is derived from `index`."""

    index: int

    @property
    def name(self) -> str:
        """Name of the cluster's network device on the host and of its cgroups."""
        return f"apisnoop{self.index}"

    @property
    def directory(self) -> Path:
        """Everything the cluster writes, except etcd's data; readable by its user only."""
        return slots_directory() / str(self.index)

    @property
    def memory_directory(self) -> Path:
        """Where etcd's data goes: memory, on every usual Linux."""
        return Path("/dev/shm") / f"apisnoop-cluster-{os.getuid()}-{self.index}"

    @property
    def loopback(self) -> IPv4Address:
        """Address of what only this machine may reach; all of 127.0.0.0/8 exists without being configured."""
        return IPv4Address(f"127.89.{self.index}.1")

    @property
    def node_network(self) -> IPv4Network:
        return IPv4Network(f"10.89.{self.index}.0/24")

    @property
    def host_address(self) -> IPv4Address:
        """The machine's own address among the nodes: the API server listens here."""
        return self.node_network[1]

    def node_address(self, number: int) -> IPv4Address:
        """Return the address of node `number`, counted from 1."""
        return self.node_network[10 + number]

    @property
    def cluster_network(self) -> IPv4Network:
        """All pod addresses of the cluster."""
        return IPv4Network(f"10.{200 + self.index}.0.0/16")

    def pod_network(self, number: int) -> IPv4Network:
        """Return the pod addresses of node `number`, counted from 1."""
        return IPv4Network(f"10.{200 + self.index}.{number}.0/24")


def slots_directory() -> Path:
    """Return the folder that holds one folder per slot, for this user.

    It follows no TMPDIR: a slot's devices and control groups are the machine's, so its lock has to be. And it is on a
    disk wherever /tmp is in memory, which a node's images would fill.
    """
    return Path("/var/tmp").resolve() / f"apisnoop-cluster-{os.getuid()}"
