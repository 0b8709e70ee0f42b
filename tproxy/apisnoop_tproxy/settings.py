"""What the agent can be told, by environment variables; docs and chart name the same."""

import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import msgspec

from apisnoop.errors import UsageError
from apisnoop.node.messages import Address


class Interception(StrEnum):
    """Who leads a pod's connections to the proxy."""

    AGENT = "agent"
    """The agent, from inside the pod's network namespace, which it enters."""
    INIT = "init"
    """A rule that an init container has written there; the agent says over the network when it is to act."""


class Settings(msgspec.Struct, frozen=True):
    """Of one agent."""

    node: str
    namespace: str = ""
    """Of our own pod, and of those of other agents; empty outside of a pod."""
    pod: str = ""
    """Our own pod's name."""
    socket: Path = Path("/run/apisnoop/agent.sock")
    """Where the proxy finds us."""
    certificate: Path = Path("/etc/apisnoop/tls/tls.crt")
    """The proxy's certificate with its chain, PEM; the key is not here."""
    proxy_uid: int = 65532
    """Whoever connects to the socket must be this user, or ours."""
    lease: float = 5.0
    """Seconds for which connections are redirected after the agent has last heard of a healthy proxy."""
    longest: float | None = None
    """Seconds after which every recording ends; None: never."""
    extra_destinations: tuple[Address, ...] = ()
    """Addresses of the API server that the cluster does not tell, such as a managed cluster's public one."""
    kubelet: Path = Path("/var/lib/kubelet")
    """The kubelet's folder on the node."""
    cni: Path = Path("/var/lib/cni")
    """Where container runtimes note addresses on the node."""
    listen: tuple[str, int] = ("127.0.0.1", 15020)
    """Where people and probes ask, by port-forward and from the container."""
    metrics: bool = False
    """Whether /metrics is there."""
    metrics_listen: tuple[str, int] | None = None
    """Where else /metrics is there, and nothing else: for a Prometheus in another pod."""
    interception: Interception = Interception.AGENT
    server: Address | None = None
    """Where the proxy reaches the API server; None: where each connection was going. Mode init only, and never None."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the agent's settings. Raises UsageError that names variable and value."""
    node = environment.get("NODE_NAME", "")
    if not node:
        raise UsageError("NODE_NAME is not set; the chart takes it from spec.nodeName")
    longest = environment.get("APISNOOP_LONGEST", "")
    elsewhere = environment.get("APISNOOP_METRICS_LISTEN", "")
    interception = _interception(environment.get("APISNOOP_INTERCEPTION") or Interception.AGENT.value)
    return Settings(
        node=node,
        namespace=environment.get("POD_NAMESPACE", ""),
        pod=environment.get("POD_NAME", ""),
        socket=Path(environment.get("APISNOOP_AGENT_SOCKET") or "/run/apisnoop/agent.sock"),
        certificate=Path(environment.get("APISNOOP_TLS") or "/etc/apisnoop/tls") / "tls.crt",
        proxy_uid=int(_seconds("APISNOOP_PROXY_UID", environment.get("APISNOOP_PROXY_UID") or "65532", least=0)),
        lease=_seconds("APISNOOP_LEASE", environment.get("APISNOOP_LEASE") or "5", least=2),
        longest=_seconds("APISNOOP_LONGEST", longest, least=1) if longest else None,
        extra_destinations=tuple(
            parse_address("APISNOOP_EXTRA_DESTINATIONS", one.strip())
            for one in environment.get("APISNOOP_EXTRA_DESTINATIONS", "").split(",")
            if one.strip()
        ),
        kubelet=Path(environment.get("APISNOOP_KUBELET") or "/var/lib/kubelet"),
        cni=Path(environment.get("APISNOOP_CNI") or "/var/lib/cni"),
        listen=read_listen(environment),
        metrics_listen=parse_address("APISNOOP_METRICS_LISTEN", elsewhere) if elsewhere else None,
        metrics=_truth("APISNOOP_METRICS", environment.get("APISNOOP_METRICS") or "false"),
        interception=interception,
        server=read_server(environment) if interception is Interception.INIT else None,
    )


def read_listen(environment: Mapping[str, str]) -> tuple[str, int]:
    """Read where the agent answers. Raises UsageError unless it is on loopback: nothing else may be told there."""
    text = environment.get("APISNOOP_LISTEN") or "127.0.0.1:15020"
    host, port = parse_address("APISNOOP_LISTEN", text)
    if not ipaddress.ip_address(host).is_loopback:
        raise UsageError(f"APISNOOP_LISTEN={text} is not on loopback, like 127.0.0.1:15020")
    return host, port


def parse_address(variable: str, text: str) -> Address:
    """Read `10.0.0.1:443` or `[fd00::1]:443`. Raises UsageError."""
    host, _, port = text.rpartition(":")
    number = int(port) if port.isdecimal() else 0
    with suppress(ValueError):
        address = str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
        if 0 < number < 65536:
            return address, number
    raise UsageError(f"{variable}: {text!r} is no address with a port, like 10.0.0.1:443 or [fd00::1]:443")


def read_server(environment: Mapping[str, str]) -> Address:
    """Read where the API server is, as the kubelet tells every container. Raises UsageError."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise UsageError("KUBERNETES_SERVICE_HOST is not set: this is no pod")
    return parse_address("KUBERNETES_SERVICE_HOST", f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def _interception(text: str) -> Interception:
    if text not in set(Interception):
        raise UsageError(f"APISNOOP_INTERCEPTION={text} is neither agent nor init")
    return Interception(text)


def _seconds(variable: str, text: str, least: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not value >= least:
        raise UsageError(f"{variable}={text} is no number of at least {least:g}")
    return value


def _truth(variable: str, text: str) -> bool:
    if text not in {"true", "false"}:
        raise UsageError(f"{variable}={text} is neither true nor false")
    return text == "true"
