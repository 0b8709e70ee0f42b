"""The names and addresses under which pods reach the API server: what its stand-in's certificate must hold.

Pure: objects as the API server gives them go in. They are read, not configured, since an address that is missing makes
a client refuse the certificate.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from apisnoop.errors import ApisnoopError, UsageError

type Address = IPv4Address | IPv6Address

DEFAULT_DOMAIN = "cluster.local"
SERVICE_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")


@dataclass(frozen=True, slots=True)
class ServerNames:
    """Subject alternative names, in the order in which they are requested."""

    names: tuple[str, ...]
    addresses: tuple[Address, ...]

    def __iter__(self) -> Iterator[str]:
        yield from self.names
        yield from map(str, self.addresses)

    def __str__(self) -> str:
        return ", ".join(self)


def server_names(
    service: Mapping[str, Any], slices: Iterable[Mapping[str, Any]], domain: str, extra: Sequence[str] = ()
) -> ServerNames:
    """Collect the names of the API server in one cluster.

    `service` is default/kubernetes, `slices` are its EndpointSlices, `domain` is the cluster's, `extra` holds names and
    addresses the user adds. Raises UsageError for a name that is none, ApisnoopError for a service without address.
    """
    spec = service.get("spec", {})
    cluster_ips = [ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP")] if ip and ip != "None"]
    if not cluster_ips:
        raise ApisnoopError("service default/kubernetes has no cluster IP; see `kubectl get svc kubernetes`")
    endpoints, hosts = _endpoints(slices)
    added = [_name_or_address(text) for text in extra]
    names = [*SERVICE_NAMES, f"{SERVICE_NAMES[-1]}.{_name(domain)}", *sorted(hosts)]
    addresses = {*map(ip_address, cluster_ips), *endpoints, *(ip for ip in added if not isinstance(ip, str))}
    return ServerNames(
        tuple(dict.fromkeys([*names, *(name for name in added if isinstance(name, str))])),
        # In an order that the chart's templates can make, too: whole requests are compared.
        tuple(sorted(addresses, key=lambda ip: (ip.version, ip))),
    )


def cluster_domain(resolv_conf: str) -> str | None:
    """Read the cluster's DNS domain from a pod's resolv.conf; None where it does not say.

    The kubelet writes `search NAMESPACE.svc.DOMAIN svc.DOMAIN DOMAIN`.
    """
    for line in resolv_conf.splitlines():
        keyword, *domains = line.split() or [""]
        for domain in domains if keyword == "search" else ():
            if domain.startswith("svc."):
                return domain.removeprefix("svc.").rstrip(".")
    return None


def _endpoints(slices: Iterable[Mapping[str, Any]]) -> tuple[set[Address], set[str]]:
    addresses: set[Address] = set()
    hosts: set[str] = set()
    for part in slices:
        for endpoint in part.get("endpoints") or []:
            for text in endpoint.get("addresses", []):
                if part.get("addressType") == "FQDN":
                    hosts.add(_name(text))
                else:
                    addresses.add(ip_address(text))
    return addresses, hosts


def _name_or_address(text: str) -> str | Address:
    try:
        return ip_address(text)
    except ValueError:
        return _name(text)


def _name(text: str) -> str:
    name = text.rstrip(".").lower()
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise UsageError(f"{text!r} is neither a DNS name nor an IP address; give one that clients dial")
    return name
