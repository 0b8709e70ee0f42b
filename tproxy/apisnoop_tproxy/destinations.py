"""Where the API server is, put together from what the cluster says: what is redirected, and nothing else. Pure.

ClusterIPs of Service default/kubernetes, and the endpoints behind it: where the CNI translates addresses when programs
connect, only these are ever seen.
"""

import msgspec

from apisnoop.node.messages import Address


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
