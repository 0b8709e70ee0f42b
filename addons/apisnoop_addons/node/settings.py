"""The settings of the node's proxy: environment variables, as its container gets them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from apisnoop.errors import UsageError
from apisnoop_addons.engine.limits import Limits
from apisnoop_addons.node.ledger import RETENTION_DAYS, STORE_BYTES

CONNECTIONS = 500
"""Of one pod at a time, far above what it needs: client-go opens one for each set of credentials it has."""
HANDSHAKES_PER_SECOND = 50
STREAMS = 250
"""Of one connection at a time, as Go's servers allow."""
PASSED_ON = 250
"""Connections beyond the limits, at a time, passed on until the agent has let the pod go, which takes it a moment.
Each of them costs others time."""
BUFFERED_BYTES = 32 * 2**20
"""A connection whose client takes nothing holds 16 MiB at most."""
FEED_RATE = 100
"""Calls a second; a person can follow fewer."""
LIMITS = Limits(
    connections=CONNECTIONS,
    handshakes_per_second=HANDSHAKES_PER_SECOND,
    passed_on=PASSED_ON,
    streams=STREAMS,
    buffered_bytes=BUFFERED_BYTES,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of them. Paths are those inside the container."""

    agent_socket: Path = Path("/run/apisnoop/agent.sock")
    """Where the node agent listens."""
    certificate: Path = Path("/etc/apisnoop/tls")
    """Folder with tls.crt and tls.key: what pods are shown."""
    authority: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
    """What the API server's certificate must chain to."""
    server_name: str = "kubernetes.default.svc"
    """Name the API server has to prove, whatever name a pod asks for."""
    store: Path = Path("/var/lib/apisnoop/apisnoop.db")
    listen: tuple[str, int] = ("127.0.0.1", 15021)
    """Where `kubectl apisnoop` asks, by port-forward."""
    retention_days: int = RETENTION_DAYS
    """After which calls count for the workload of their pod, so that the store does not grow with every rollout."""
    store_bytes: int = STORE_BYTES
    """From which on the store tells no new callers and namespaces apart: a third of the volume it lies on, or less."""
    limits: Limits = LIMITS
    """What one pod may have at a time."""
    scripts: Path | None = None
    """Folder with the user's own mitmproxy addons; None: there are none."""
    feed: Path | None = None
    """Where the viewer is handed redacted copies of calls; None: there is no viewer, and no copies are made."""
    feed_bodies: bool = False
    """Whether the copies have the beginnings of bodies, where these are not secret by nature."""
    feed_rate: int = FEED_RATE
    """Calls a second that the viewer is shown at most."""


_ADDRESS = re.compile(r"(?P<host>127\.\d+\.\d+\.\d+|\[::1\]):(?P<port>\d{1,5})")


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the settings; what is not set keeps its default. Raises UsageError naming variable and value."""
    usual = Settings()

    def path(variable: str, default: Path) -> Path:
        return Path(environment.get(variable) or default)

    def number(variable: str, default: int) -> int:
        text = environment.get(variable)
        return _positive(variable, text) if text else default

    address, feed = environment.get("APISNOOP_LISTEN"), environment.get("APISNOOP_UI_FEED")
    scripts = environment.get("APISNOOP_SCRIPTS")
    return Settings(
        agent_socket=path("APISNOOP_AGENT_SOCKET", usual.agent_socket),
        certificate=path("APISNOOP_TLS", usual.certificate),
        authority=path("APISNOOP_CA", usual.authority),
        server_name=environment.get("APISNOOP_SERVER_NAME") or usual.server_name,
        store=path("APISNOOP_STORE", usual.store),
        listen=_address(address) if address else usual.listen,
        retention_days=number("APISNOOP_RETENTION_DAYS", usual.retention_days),
        store_bytes=number("APISNOOP_STORE_BYTES", usual.store_bytes),
        limits=Limits(
            connections=number("APISNOOP_LIMIT_CONNECTIONS", CONNECTIONS),
            handshakes_per_second=number("APISNOOP_LIMIT_HANDSHAKES", HANDSHAKES_PER_SECOND),
            passed_on=PASSED_ON,
            streams=number("APISNOOP_LIMIT_STREAMS", STREAMS),
            buffered_bytes=number("APISNOOP_LIMIT_BUFFERED", BUFFERED_BYTES),
        ),
        scripts=Path(scripts) if scripts else None,
        feed=Path(feed) if feed else None,
        feed_bodies=_yes("APISNOOP_UI_BODIES", environment.get("APISNOOP_UI_BODIES") or "false"),
        feed_rate=number("APISNOOP_UI_RATE", FEED_RATE),
    )


def _address(text: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise UsageError(f"APISNOOP_LISTEN={text} is no loopback address with a port: write it like 127.0.0.1:15021")
    return found["host"].strip("[]"), int(found["port"])


def _yes(variable: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise UsageError(f"{variable}={text} is neither true nor false")
    return text == "true"


def _positive(variable: str, text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise UsageError(f"{variable}={text} is no positive number")
    return int(text)
