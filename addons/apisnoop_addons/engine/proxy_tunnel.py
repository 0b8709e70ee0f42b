"""Reach the server through somebody else's proxy, as `proxy-url` of a kubeconfig asks: HTTP CONNECT or SOCKS 5.

TLS towards an https:// proxy is a TLS layer around these; TLS towards the server is one inside.
"""

import base64
import ipaddress
from collections.abc import Generator
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from mitmproxy import connection
from mitmproxy.proxy import commands
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator

from apisnoop_addons.engine.deadline import Deadline
from apisnoop_addons.engine.driver_commands import HoldReading

LONGEST_HEAD = 64 * 1024
_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class ProxyUrl(NamedTuple):
    """A proxy and the credentials for it."""

    scheme: str
    host: str
    port: int
    user: str
    password: str


def parse_proxy_url(url: str) -> ProxyUrl:
    """Take a proxy's URL apart. Raise ValueError, without the URL's password in it, for what is none."""
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"proxy-url with scheme {parts.scheme!r} cannot be used; use http, https or socks5")
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    return ProxyUrl(parts.scheme, parts.hostname, port, unquote(parts.username or ""), unquote(parts.password or ""))


class ProxyTunnel(Deadline):
    """A connection to `context.server` inside of one to a proxy."""

    patience = 60.0
    """As Go's net/http, and so kubectl, waits for the answer to CONNECT."""
    late = "the proxy does not answer"

    def __init__(self, context: Context, proxy: ProxyUrl, to_proxy: connection.Server) -> None:
        super().__init__(context, tunnel_connection=to_proxy, conn=context.server)
        self.proxy = proxy
        self._received = bytearray()

    def _handle_command(self, command: commands.Command) -> CommandGenerator[None]:
        if isinstance(command, HoldReading) and command.connection == self.conn:
            command.connection = self.tunnel_connection
        yield from super()._handle_command(command)

    @property
    def destination(self) -> tuple[str, int]:
        """Host and port that the proxy is to connect to."""
        assert isinstance(self.conn, connection.Server)
        assert self.conn.address
        return self.conn.address[0], self.conn.address[1]


class HttpConnect(ProxyTunnel):
    """A tunnel through an HTTP proxy (RFC 9110 section 9.3.6)."""

    def start_handshake(self) -> CommandGenerator[None]:
        """Ask for the tunnel."""
        yield from self.set_deadline()
        host, port = self.destination
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
        if self.proxy.user or self.proxy.password:
            credentials = base64.b64encode(f"{self.proxy.user}:{self.proxy.password}".encode()).decode()
            lines.append(f"Proxy-Authorization: Basic {credentials}")
        yield commands.SendData(self.tunnel_connection, "\r\n".join([*lines, "", ""]).encode())

    def receive_handshake_data(self, data: bytes) -> CommandGenerator[tuple[bool, str | None]]:
        """Read the proxy's answer."""
        self._received += data
        head, separator, rest = bytes(self._received).partition(b"\r\n\r\n")
        if not separator:
            return False, "the proxy answers no HTTP" if len(head) > LONGEST_HEAD else None
        status = head.partition(b"\r\n")[0].split(b" ")
        if len(status) < 2 or not status[0].startswith(b"HTTP/1.") or not status[1].isdigit():
            return False, "the proxy answers no HTTP"
        if not status[1].startswith(b"2"):
            return False, f"the proxy refused the connection with status {int(status[1])}"
        if rest:
            yield from self.receive_data(rest)
        return True, None


class Socks5(ProxyTunnel):
    """A tunnel through a SOCKS proxy (RFC 1928, RFC 1929), which also resolves the server's name."""

    def start_handshake(self) -> CommandGenerator[None]:
        """Say which ways to log in there are."""
        yield from self.set_deadline()
        self._steps = self._negotiate()
        yield from self._advance(None)

    def receive_handshake_data(self, data: bytes) -> CommandGenerator[tuple[bool, str | None]]:
        """Take each next step when its bytes are there."""
        self._received += data
        while len(self._received) >= self._wanted:
            piece = bytes(self._received[: self._wanted])
            del self._received[: self._wanted]
            if (yield from self._advance(piece)):
                if not self._error and self._received:
                    yield from self.receive_data(bytes(self._received))
                return not self._error, self._error or None
        return False, None

    def _advance(self, piece: bytes | None) -> CommandGenerator[bool]:
        """Go on until bytes are wanted; return True at the end."""
        try:
            step = self._steps.send(piece)  # type: ignore[arg-type]  # None only starts it
            while isinstance(step, bytes):
                yield commands.SendData(self.tunnel_connection, step)
                step = next(self._steps)
        except StopIteration as end:
            self._error = end.value
            return True
        self._wanted = step
        return False

    def _negotiate(self) -> Generator[bytes | int, bytes, str]:
        """Yield what to send, and how many bytes to wait for, which are then sent in; return what went wrong."""
        user, password = self.proxy.user.encode(), self.proxy.password.encode()
        yield b"\x05\x02\x00\x02" if user else b"\x05\x01\x00"
        version, method = yield 2
        if version != 5 or method not in {0, 2}:
            return "the SOCKS proxy accepts none of our ways to log in"
        if method == 2:
            yield b"\x01%c%s%c%s" % (len(user), user, len(password), password)
            _, refused = yield 2
            if refused:
                return "the SOCKS proxy refused user and password"
        yield b"\x05\x01\x00" + _socks_address(*self.destination)
        _, code, _, kind = yield 4
        if code:
            return f"the SOCKS proxy could not connect: {_SOCKS_ERRORS.get(code, f'code {code}')}"
        yield {1: 4, 4: 16}.get(kind) or (yield 1)[0]
        yield 2
        return ""


_SOCKS_ERRORS = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "time to live expired",
}


def _socks_address(host: str, port: int) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("idna")
        packed = b"\x03%c%s" % (len(name), name)
    else:
        packed = (b"\x01" if address.version == 4 else b"\x04") + address.packed
    return packed + port.to_bytes(2)
