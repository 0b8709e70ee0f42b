"""Servers: what a kubeconfig's cluster entry says about reaching the API server and about trusting it.

Pure but for reading the CA file that the entry names. Not here: connecting (the engine does).
"""

import base64
import binascii
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from apisnoop.causes import cause_of
from apisnoop.errors import ApisnoopError
from apisnoop_addons.run.kubeconfig import Entry
from apisnoop_addons.run.proxies import proxy_for

_PORTS = {"http": 80, "https": 443}
PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True, slots=True)
class Server:
    """One API server as seen from a kubeconfig."""

    cluster: str
    """The entry's name."""
    scheme: str
    """http or https."""
    host: str
    port: int
    authority: str
    """host[:port] as the kubeconfig has it: the Host header that the server expects."""
    path: str
    """Prefix of every path, without trailing slash, as servers behind Rancher have; mostly empty."""
    server_name: str
    """The name to ask for and to verify: tls-server-name, else the host."""
    ca: bytes | None
    """PEM of the authorities to trust; None: those of the system."""
    insecure: bool
    """The certificate is not verified, as the kubeconfig asks."""
    proxy_url: str
    """Proxy on the way to the server (http, https or socks5 URL), or empty. May hold a password."""

    @property
    def url(self) -> str:
        """The server as the kubeconfig writes it."""
        return f"{self.scheme}://{self.authority}{self.path}"


def server_of(name: str, cluster: Entry, environment: Mapping[str, str]) -> Server:
    """Read the cluster entry called `name`; the environment may name a proxy. Raises ApisnoopError naming what is
    wrong."""
    url = _server_url(name, str(cluster.get("server") or ""))
    scheme, host = url.scheme, url.hostname or ""
    port = url.port or _PORTS[scheme]
    return Server(
        cluster=name,
        scheme=scheme,
        host=host,
        port=port,
        authority=url.netloc.rpartition("@")[2],
        path=url.path.rstrip("/"),
        server_name=str(cluster.get("tls-server-name") or host),
        ca=_authorities(name, cluster),
        insecure=cluster.get("insecure-skip-tls-verify") is True,
        proxy_url=_checked_proxy(name, "proxy-url", str(cluster.get("proxy-url") or ""))
        or _checked_proxy(name, "the environment's proxy", proxy_for(scheme, host, port, environment)),
    )


def _server_url(name: str, text: str) -> SplitResult:
    # client-go takes a bare host[:port] for https too.
    try:
        url = urlsplit(text if "://" in text else f"https://{text}")
        usable = url.scheme in _PORTS and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise _wrong(name, f"server {text!r} is no http or https URL")
    return url


def _checked_proxy(name: str, origin: str, text: str) -> str:
    try:
        url = urlsplit(text)
        usable = url.scheme in PROXY_SCHEMES and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        usable = False
    if text and not usable:
        shown = f"{text.partition('://')[0]}://{text.rpartition('@')[2].rpartition('://')[2]}"
        raise _wrong(name, f"{origin} {shown!r} is no http, https or socks5 URL")
    return text


def _authorities(name: str, cluster: Entry) -> bytes | None:
    if data := cluster.get("certificate-authority-data"):
        return _verified_pem(name, "certificate-authority-data", _decoded(name, str(data)))
    if path := cluster.get("certificate-authority"):
        return _verified_pem(name, f"certificate-authority {path}", _file_content(name, Path(path)))
    return None


def _decoded(name: str, data: str) -> bytes:
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except binascii.Error:
        raise _wrong(name, "certificate-authority-data is not base64") from None


def _file_content(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _wrong(name, f"certificate-authority {path} cannot be read ({cause_of(error)})") from None


def _verified_pem(name: str, origin: str, pem: bytes) -> bytes:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise _wrong(name, f"{origin} holds no PEM certificate") from None
    return pem


def _wrong(name: str, what: str) -> ApisnoopError:
    return ApisnoopError(f"cluster {name!r}: {what}; correct it in the kubeconfig")
