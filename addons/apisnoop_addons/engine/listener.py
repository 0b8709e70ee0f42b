"""A listening socket with all that is known about the connections it accepts. Values only; accepting is `proxy`'s."""

import socket
from asyncio.trsock import TransportSocket
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from mitmproxy import connection
from mitmproxy.flow import Flow
from mitmproxy.proxy.commands import Command

from apisnoop.calls.caller import Caller
from apisnoop_addons.engine.admission import Admission
from apisnoop_addons.engine.connect import connect_directly
from apisnoop_addons.engine.limits import NO_LIMITS, READ_AT_ONCE, Limits
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


@dataclass(slots=True)
class Switch:
    """Something that can be switched while it is used."""

    on: bool = True


CLIENT_CERTIFICATE = "client-certificate"
"""The client presented a certificate."""
CERTIFICATE_REJECTED = "certificate-rejected"
"""The client said that it does not accept ours."""
HANDSHAKE_ABANDONED = "handshake-abandoned"
"""The client saw ours and went away without a word; so do clients that do not accept it, and others."""


def _ignore(*_told: object) -> None:
    pass


def _alone(_size: int) -> int:
    return READ_AT_ONCE


def _at_once(hear: Callable[[], None]) -> None:
    hear()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listener:
    """One bound, listening socket. Which socket accepted a connection says who is calling and where it goes."""

    socket: socket.socket
    identity: Caller
    upstream: Upstream
    certificate: KeyPair | Callable[[], KeyPair] | None = None
    """What clients are shown, or who gives it, asked at each handshake; None: clients speak plain text."""
    request_client_certificate: bool = False
    """Ask clients for a certificate. Any will do, and none: what it is worth, `Upstream.client_certificate` says."""
    unseen: Callable[["Client", str], None] | None = None
    """Not None: a client that presents a certificate, which cannot be passed on, is turned away before anything of it
    is sent on; and this is told of each that could not be served, with one of the reasons below."""
    admit: Callable[["Client"], Awaitable[Admission]] | None = None
    """Asked about each connection when it has been accepted; None: all are let in. An exception closes it."""
    sources: Collection[str] = ()
    """Addresses that may connect; what comes from others is closed at once and counts for nothing. Empty: all may."""
    limits: Limits = NO_LIMITS
    over_limit: Callable[["Listener", str], None] = _ignore
    """Told which field of `limits` has been reached, at most once a second for each."""
    recording: Switch = field(default_factory=Switch)
    """Off: connections go on, and nothing of them is recorded any more, calls in progress included."""
    drained: Callable[["Listener"], None] = _ignore
    """Told when nothing is accepted any more and the last connection has ended."""
    connect: Connect = connect_directly
    on_failure: Callable[["Listener", str], None] = _ignore
    """Told once for each upstream connection that could not be opened, with the reason in words."""
    explain_failures: bool = False
    """True: calls that could not be sent anywhere are answered with a 503 and a Kubernetes Status that says why.
    False: their connection is closed, as if the server itself could not be reached."""
    label: str = ""
    """What a person calls this listener, e.g. the cluster's name in a kubeconfig."""
    protocols: Protocols = field(default_factory=Protocols)


def is_recorded(flow: Flow) -> bool:
    """Tell whether a flow may be recorded now."""
    return not isinstance(flow.client_conn, Client) or flow.client_conn.recorded


class Flushable(Protocol):
    """A layer that gathers what it is to send."""

    def flush(self) -> Iterable[Command]:
        """Give the commands that send it."""
        ...


class Holder(Protocol):
    """A layer that keeps bytes for a slow peer."""

    def held(self) -> int:
        """Count them."""
        ...


@dataclass(eq=False, repr=False, kw_only=True)
class Client(connection.Client):
    """mitmproxy's client connection, knowing its listener."""

    listener: Listener = field(metadata={"serialize": False})
    socket: TransportSocket | None = field(default=None, metadata={"serialize": False})
    """The accepted socket, to ask things of; it is read and written elsewhere."""
    crowded: bool = field(default=False, metadata={"serialize": False})
    """It is more than the listener's limits allow to be read, and passed on untouched whatever its admission says."""
    admission: Admission | None = field(default=None, metadata={"serialize": False})
    over_limit: Callable[[str], None] = field(default=_ignore, metadata={"serialize": False})
    """To be told which of the listener's limits this connection has reached."""
    arrived: Callable[[int], int] = field(default=_alone, metadata={"serialize": False})
    """To be told how many bytes have come, from either side. Returns how many may come at once the next time."""
    ended: Callable[[Callable[[], None]], None] = field(default=_at_once, metadata={"serialize": False})
    """To be given what hears that either side has sent its last, to be called now or soon."""
    unflushed: list[Flushable] = field(default_factory=list, metadata={"serialize": False})
    """Layers of this connection that hold back what is to be sent until everything has been heard."""
    holders: set[Holder] = field(default_factory=set, metadata={"serialize": False})
    """Layers of this connection that keep bytes for slow peers."""

    @property
    def caller(self) -> Caller:
        """Who calls, as far as the connection tells."""
        return (self.admission and self.admission.caller) or self.listener.identity

    @property
    def upstream(self) -> tuple[str, int]:
        """Host and port that this connection's calls go to."""
        to = self.listener.upstream
        return (self.admission and self.admission.upstream) or (to.host, to.port)

    @property
    def untouched(self) -> bool:
        """True for a connection that is passed on as it is."""
        return self.crowded or (self.admission is not None and self.admission.untouched)

    @property
    def recorded(self) -> bool:
        """True while this connection's calls are recorded."""
        return self.listener.recording.on
