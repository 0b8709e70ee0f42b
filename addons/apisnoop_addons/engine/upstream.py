"""Where calls go: the API server as one listener's clients reach it. Values only; `connect` connects."""

from collections.abc import Callable
from dataclasses import dataclass

from mitmproxy.connection import Client


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate chain (leaf first) and its private key, both PEM."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        """Name neither key nor certificate: this value may end up in a log or a traceback."""
        return "KeyPair(…)"


type ClientCertificate = Callable[[Client], KeyPair | None]
"""Says what to present upstream for one client connection; asked before each upstream handshake; must not block."""


def _present_nothing(_client: Client) -> KeyPair | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One API server."""

    host: str
    port: int
    tls: bool = True
    """False for http:// servers, which are then listened for in plain text too."""
    server_name: str = ""
    """Name that is sent as SNI and must be in the server's certificate (an address is allowed); empty: the host."""
    ca_pem: bytes | None = None
    """What the server's certificate must chain to; None: what the system trusts."""
    insecure: bool = False
    """True: the certificate is not verified at all. Whoever sets this says so aloud to the user."""
    client_certificate: ClientCertificate = _present_nothing
    proxy_url: str = ""
    """http://, https:// or socks5:// proxy to go through, with user:password@ if it wants one; empty: none."""
    authority: str = ""
    """Replaces the Host header (:authority), for servers behind virtual hosts; empty: the client's own is kept."""
    path_prefix: str = ""
    """What stands before /api and /apis on this server, e.g. /k8s/clusters/c-1; forwarded as it comes, not recorded."""

    @property
    def name(self) -> str:
        """The name the server has to prove."""
        return self.server_name or self.host
