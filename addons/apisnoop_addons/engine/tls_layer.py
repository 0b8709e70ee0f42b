"""mitmproxy's TLS layers, made quicker, and closing as TLS wants it.

- What is sent is gathered until the layers have had their say, so that an answer's head and body become one record.
- A clean end is told to the peer (close_notify), so that it can tell it from a cut; mitmproxy always cuts.
- Why TLS could not be set up is told to whoever wanted the connection.
"""

import re
from collections.abc import Iterable

from mitmproxy.connection import ConnectionState, Server
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.tls import (
    ClientTLSLayer,
    ServerTLSLayer,
    TLSLayer,
    TlsStartClientHook,
    TlsStartServerHook,
)
from mitmproxy.proxy.tunnel import TunnelState
from mitmproxy.tls import TlsData
from OpenSSL import SSL

from apisnoop_addons.engine.client_hello import ClientHelloBuffer
from apisnoop_addons.engine.deadline import Deadline
from apisnoop_addons.engine.http_events import Break
from apisnoop_addons.engine.listener import (
    CERTIFICATE_REJECTED,
    CLIENT_CERTIFICATE,
    HANDSHAKE_ABANDONED,
    Client,
)

_NO_HELLO = "Cannot parse ClientHello"
"""How mitmproxy says that what came first is no TLS."""
RECORD = 16 * 1024
"""Bytes; one TLS record holds no more, and one read gives no more than one record."""
_REJECTION = re.compile(
    r"alert (unknown ca|(bad|unsupported) certificate|certificate (unknown|expired|revoked)|access denied)"
)
"""OpenSSL's names of the alerts by which a peer refuses a certificate (RFC 8446 section 6.2)."""
CHUNK = 256 * 1024
"""Bytes of records taken from OpenSSL at a time."""


class _Tls(TLSLayer):
    nested = False
    """Inside another tunnel: nothing can be gathered, for it has to pass through the layers around this one."""

    _unsent: list[bytes]
    _reason = ""
    """Why TLS cannot be set up."""
    _end_told = False

    def start_tls(self) -> CommandGenerator[None]:
        """Let the addon make the OpenSSL connection."""
        start = TlsData(self.conn, self.context)
        yield TlsStartClientHook(start) if self.conn == self.context.client else TlsStartServerHook(start)
        if start.ssl_conn is None:
            self._reason = self.conn.error or "TLS cannot be set up"
            yield commands.CloseConnection(self.conn)
        else:
            self.tls = start.ssl_conn
            self._unsent = []

    def _handshake_finished(self, err: str | None) -> CommandGenerator[None]:
        yield from super()._handshake_finished(err and (self._reason or err))

    def receive_data(self, data: bytes) -> CommandGenerator[None]:
        """Decrypt what has arrived and pass it on in one piece."""
        tls = self.tls
        if data:
            tls.bio_write(data)
        pieces, closed = [], False
        try:
            while True:
                pieces.append(tls.recv(RECORD))
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            closed = True
        except SSL.Error as error:  # an alert, or bytes that are no TLS
            self.failed(error)
            yield from self.tls_interact()
            yield commands.CloseConnection(self.conn)
        if pieces:
            plain = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            yield from self.event_to_child(events.DataReceived(self.conn, plain))
        if closed:
            self.conn.state &= ~ConnectionState.CAN_READ
            yield from self.receive_close()

    def receive_close(self) -> CommandGenerator[None]:
        """Tell the layers inside, once, that nothing more will come: after TLS's own farewell, or the socket's."""
        if not self._end_told:
            self._end_told = True
            yield from self.event_to_child(events.ConnectionClosed(self.conn))

    def failed(self, error: SSL.Error) -> None:
        """Hear that an established connection has failed."""

    def send_data(self, data: bytes) -> Iterable[commands.Command]:  # type: ignore[override]  # any iterable will do
        """Encrypt data, when there is nothing more to come."""
        self._unsent.append(data)
        if self.nested:
            return self.flush()
        if len(self._unsent) == 1:
            client = self.context.client
            assert isinstance(client, Client)
            client.unflushed.append(self)
        return ()

    def flush(self) -> CommandGenerator[None]:
        """Encrypt and send what was gathered."""
        pieces, self._unsent = self._unsent, []
        try:
            self.tls.sendall(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        except SSL.Error:
            return  # it is closed, and nobody can be told any more
        yield from self.tls_interact()

    def tls_interact(self) -> CommandGenerator[None]:
        """Send what OpenSSL has made."""
        data = b""
        while not data or len(data) == CHUNK:
            try:
                data = self.tls.bio_read(CHUNK)
            except SSL.WantReadError:
                return
            yield commands.SendData(self.conn, data)

    def send_close(self, command: commands.CloseConnection) -> CommandGenerator[None]:
        """Tell the peer that nothing more will come, unless the connection is to break."""
        if self.conn.tls_established:
            if self._unsent:
                yield from self.flush()
            if not isinstance(command, Break) and self.tunnel_connection.state & ConnectionState.CAN_WRITE:
                yield from self._say_goodbye()
        yield from super().send_close(command)

    def _say_goodbye(self) -> CommandGenerator[None]:
        try:
            self.tls.shutdown()
        except SSL.Error:
            return  # it is broken already
        yield from self.tls_interact()


class ClientTls(_Tls, ClientTLSLayer):
    """TLS with a client."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        assert isinstance(context.client, Client)
        self._hello = ClientHelloBuffer()
        self._holders = context.client.holders
        self._holders.add(self)

    def held(self) -> int:
        """Count the bytes of a first message that is not complete."""
        return len(self._hello.data)

    def receive_handshake_data(self, data: bytes) -> CommandGenerator[tuple[bool, str | None]]:
        """Go on with the handshake, when the client's first message is complete."""
        if not self.client_hello_parsed:
            try:
                if not self._hello.add(data):
                    return False, None
            except ValueError:
                return False, f"{_NO_HELLO}: it is none, or too large"
            data = bytes(self._hello.data)
            self._holders.discard(self)
        return (yield from super().receive_handshake_data(data))

    def _handshake_finished(self, err: str | None) -> CommandGenerator[None]:
        if not err and self.conn.certificate_list and self._told_of_unseen:
            self.tunnel_state = TunnelState.CLOSED
            self.event_to_child = self.errored  # type: ignore[method-assign]  # as mitmproxy does it
            yield Break(self.conn)
            self._unseen(CLIENT_CERTIFICATE)
        else:
            if not err:  # what ends TLS 1.2's handshake; session tickets, which acknowledge what ends TLS 1.3's
                yield from self.tls_interact()
            yield from super()._handshake_finished(err)

    def on_handshake_error(self, err: str) -> CommandGenerator[None]:
        """Tell of a client that does not want our certificate. What is no TLS is not quoted: it may hold a token."""
        no_tls = err.startswith(_NO_HELLO)
        yield from super().on_handshake_error("the client does not speak TLS" if no_tls else err)
        if _REJECTION.search(err):
            self._unseen(CERTIFICATE_REJECTED)
        elif err == "connection closed" and self.client_hello_parsed:
            self._unseen(HANDSHAKE_ABANDONED)

    def failed(self, error: SSL.Error) -> None:
        """Tell of a client that does not want our certificate, but finished its part of the handshake first."""
        if _REJECTION.search(_alert(error)):
            self._unseen(CERTIFICATE_REJECTED)

    @property
    def _told_of_unseen(self) -> bool:
        assert isinstance(self.conn, Client)
        return self.conn.listener.unseen is not None

    def _unseen(self, reason: str) -> None:
        assert isinstance(self.conn, Client)
        if self.conn.listener.unseen is not None:
            self.conn.listener.unseen(self.conn, reason)


class ServerTls(Deadline, _Tls, ServerTLSLayer):
    """TLS with the server, or with an https:// proxy before it."""

    patience = 30.0
    """As long as for TCP. client-go's own limit is 10 s, but other clients have none and would have waited longer."""

    def __init__(self, context: Context, conn: Server | None = None, *, nested: bool = False) -> None:
        super().__init__(context, conn)
        self.nested = nested

    def start_handshake(self) -> CommandGenerator[None]:
        """Begin, with a limit."""
        yield from self.set_deadline()
        yield from super().start_handshake()

    def failed(self, error: SSL.Error) -> None:
        """Tell why the server has ended the connection: in TLS 1.3 it judges our certificate after the handshake."""
        client = self.context.client
        assert isinstance(client, Client)
        client.listener.on_failure(client.listener, f"the server ended TLS: {_alert(error)}")

    def _handshake_finished(self, err: str | None) -> CommandGenerator[None]:
        if err and self.conn != self.context.server:
            self._reason = f"TLS with the proxy: {self._reason or err}"
        yield from super()._handshake_finished(err)


def _alert(error: SSL.Error) -> str:
    """Give OpenSSL's name of what went wrong, e.g. "sslv3 alert certificate expired"."""
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return str(reasons[-1][2]) if reasons and len(reasons[-1]) == 3 else "unknown error"
