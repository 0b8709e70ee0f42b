"""Proxies named by the environment: which one is on the way to a server, and how to keep loopback off them.

The rules are those of Go's net/http, which clients of Kubernetes follow: HTTPS_PROXY, HTTP_PROXY and NO_PROXY in either
case, no proxy for loopback, NO_PROXY entries as names (and what is below them), addresses or CIDR ranges.
"""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network

_LOOPBACK = ("127.0.0.1", "localhost")
_PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


def proxy_for(scheme: str, host: str, port: int, environment: Mapping[str, str]) -> str:
    """Return the URL of the proxy to reach scheme://host:port through, or an empty string."""
    proxy = _variable(environment, f"{scheme.upper()}_PROXY")
    if not proxy or _is_loopback(host) or _is_exempt(host, port, _variable(environment, "NO_PROXY")):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def exempt_loopback(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables to set so that no proxy catches connections to loopback; empty where none is configured.

    Both spellings are set: programs differ in which one they read first.
    """
    if not any(_variable(environment, name) for name in _PROXY_VARIABLES):
        return {}
    return {
        name: ",".join(dict.fromkeys([*filter(None, exempt.split(",")), *_LOOPBACK]))
        for name in ("NO_PROXY", "no_proxy")
        if (exempt := environment.get(name) or _variable(environment, "NO_PROXY")) != "*"
    }


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.lower()) or ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_exempt(host: str, port: int, no_proxy: str) -> bool:
    return any(_covers(entry.strip().lower(), host.lower(), port) for entry in no_proxy.split(",") if entry.strip())


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        pass
    name, entry_port = _split_port(entry)
    if entry_port and entry_port != str(port):
        return False
    name = name.removeprefix("*")
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")


def _split_port(entry: str) -> tuple[str, str]:
    name, _, port = entry.rpartition(":")
    if port.isdigit() and name and (":" not in name or name.endswith("]")):
        return name.strip("[]"), port
    return entry.strip("[]"), ""
