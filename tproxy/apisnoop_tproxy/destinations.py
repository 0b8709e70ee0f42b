"""Where the API server is, put together from what the cluster says: what is redirected, and nothing else. Pure.

ClusterIPs of Service default/kubernetes, and the endpoints behind it: where the CNI translates addresses when programs
connect, only these are ever seen.
"""

from collections.abc import Collection

import msgspec

from apisnoop.node.messages import Address

MOST_FORMER = 64
"""Addresses that are remembered after they were withdrawn."""


class Reach:
    """Where the API is, and where it was: connections may be older than the latest change, and go on."""

    def __init__(self) -> None:
        self.now: tuple[Address, ...] = ()
        self._former: dict[Address, None] = {}
        """In the order in which they were withdrawn."""

    def destine(self, addresses: Collection[Address]) -> bool:
        """Take where the API is now; return whether that is different."""
        before, self.now = self.now, tuple(sorted(set(addresses)))
        for address in self.now:
            self._former.pop(address, None)
        self._former |= dict.fromkeys(address for address in before if address not in self.now)
        for address in list(self._former)[:-MOST_FORMER]:
            del self._former[address]
        return self.now != before

    def __contains__(self, address: Address) -> bool:
        """Tell whether an open connection may be one to the API at this address."""
        return address in self.now or address in self._former


class ServicePort(msgspec.Struct, frozen=True):
    """Of a Service or an EndpointSlice."""

    port: int = 0
    protocol: str = "TCP"


class _ServiceSpec(msgspec.Struct, frozen=True, rename="camel"):
    cluster_ips: list[str] | None = msgspec.field(name="clusterIPs", default=None)
    ports: list[ServicePort] | None = None


class Named(msgspec.Struct, frozen=True):
    """Metadata, of which only the name matters."""

    name: str


class Service(msgspec.Struct, frozen=True):
    """A Service (core/v1), as far as we read it."""

    metadata: Named
    spec: _ServiceSpec = _ServiceSpec()


class _Endpoint(msgspec.Struct, frozen=True):
    addresses: list[str] = []


class EndpointSlice(msgspec.Struct, frozen=True, rename="camel"):
    """An EndpointSlice (discovery.k8s.io/v1), as far as we read it."""

    metadata: Named
    address_type: str = ""
    endpoints: list[_Endpoint] | None = None
    ports: list[ServicePort] | None = None


def service_addresses(service: Service) -> set[Address]:
    """Return where a Service can be reached."""
    hosts = [host for host in service.spec.cluster_ips or () if host not in {"", "None"}]
    return {(host, port) for host in hosts for port in _tcp(service.spec.ports)}


def slice_addresses(found: EndpointSlice) -> set[Address]:
    """Return where the endpoints of a slice can be reached; those named by host names are left out."""
    if found.address_type not in {"IPv4", "IPv6"}:
        return set()
    hosts = [host for endpoint in found.endpoints or () for host in endpoint.addresses]
    return {(host, port) for host in hosts for port in _tcp(found.ports)}


def _tcp(ports: list[ServicePort] | None) -> list[int]:
    return [one.port for one in ports or () if one.protocol == "TCP" and one.port]
