"""A listening socket with all that is known about the connections it accepts. Values only; accepting is `proxy`'s."""

import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from mitmproxy import connection
from mitmproxy.proxy.commands import Command

from apisnoop.calls.caller import Caller
from apisnoop_addons.engine.connect import connect_directly
from apisnoop_addons.engine.upstream import KeyPair, Upstream

type Connect = Callable[["Client", str, int], Awaitable[socket.socket]]
"""Opens a connected TCP socket to (host, port) for a client connection; raises OSError. A node agent makes the socket
inside the client's own network namespace; everywhere else it is `connect_directly`."""


class Protocols:
    """What to agree on with clients: HTTP/2, until the server behind the listener has shown that it does not speak it.

    A client's HTTP/2 requests can be sent on as HTTP/1.1, but only one at a time on each connection.
    """

    http2 = True

    def for_client(self) -> tuple[bytes, ...]:
        """List the ALPN names to accept."""
        return (b"h2", b"http/1.1") if self.http2 else (b"http/1.1",)


def _ignore_failure(_listener: "Listener", _reason: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listener:
    """One bound, listening socket. Which socket accepted a connection says who is calling and where it goes."""

    socket: socket.socket
    identity: Caller
    upstream: Upstream
    certificate: KeyPair | None = None
    """What clients are shown; None: clients speak plain text."""
    request_client_certificate: bool = False
    """Ask clients for a certificate. Any will do, and none: what it is worth, `Upstream.client_certificate` says."""
    connect: Connect = connect_directly
    on_failure: Callable[["Listener", str], None] = _ignore_failure
    """Told once for each upstream connection that could not be opened, with the reason in words."""
    explain_failures: bool = False
    """True: calls that could not be sent anywhere are answered with a 503 and a Kubernetes Status that says why.
    False: their connection is closed, as if the server itself could not be reached."""
    label: str = ""
    """What a person calls this listener, e.g. the cluster's name in a kubeconfig."""
    protocols: Protocols = field(default_factory=Protocols)


class Flushable(Protocol):
    """A layer that gathers what it is to send."""

    def flush(self) -> Iterable[Command]:
        """Give the commands that send it."""
        ...


@dataclass(eq=False, repr=False, kw_only=True)
class Client(connection.Client):
    """mitmproxy's client connection, knowing its listener."""

    listener: Listener = field(metadata={"serialize": False})
    unflushed: list[Flushable] = field(default_factory=list, metadata={"serialize": False})
    """Layers of this connection that hold back what is to be sent until everything has been heard."""
