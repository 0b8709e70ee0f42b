"""The settings of the viewer's container: environment variables."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from apisnoop.errors import UsageError

FLOWS = 1000
SIZE = 32 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of them. Paths are those inside the container."""

    feed: Path = Path("/run/apisnoop-ui/feed.sock")
    """Where the proxy hands out copies of calls."""
    listen: tuple[str, int] = ("127.0.0.1", 8081)
    """Where a browser finds it, by port-forward."""
    password_hash: Path = Path("/etc/apisnoop/mitmweb/hash")
    flows: int = FLOWS
    """Calls that are shown at most; the oldest go first."""
    size: int = SIZE
    """Bytes that they may take."""
    node: str = ""


_ADDRESS = re.compile(r"(?P<host>127\.\d+\.\d+\.\d+|\[::1\]):(?P<port>\d{1,5})")


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the settings; what is not set keeps its default. Raises UsageError naming variable and value."""
    usual = Settings()
    return Settings(
        feed=Path(environment.get("APISNOOP_UI_FEED") or usual.feed),
        listen=_address(environment.get("APISNOOP_UI_LISTEN")) or usual.listen,
        password_hash=Path(environment.get("APISNOOP_UI_PASSWORD_HASH") or usual.password_hash),
        flows=_positive(environment, "APISNOOP_UI_FLOWS") or usual.flows,
        size=_positive(environment, "APISNOOP_UI_BYTES") or usual.size,
        node=environment.get("NODE_NAME", ""),
    )


def _address(text: str | None) -> tuple[str, int] | None:
    if not text:
        return None
    found = _ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise UsageError(f"APISNOOP_UI_LISTEN={text} is no loopback address with a port: write it like 127.0.0.1:8081")
    return found["host"].strip("[]"), int(found["port"])


def _positive(environment: Mapping[str, str], variable: str) -> int | None:
    text = environment.get(variable)
    if not text:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise UsageError(f"{variable}={text} is no positive number")
    return int(text)
