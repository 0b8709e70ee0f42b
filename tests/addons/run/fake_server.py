"""A server that looks enough like an API server for tests of the way to it: TLS, credentials, prefixes, faults."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.addons.run.pki import Authority, Issued

VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.2"}


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    user: str
    """Common name of the client's certificate, or empty."""


@dataclass
class FakeServer:
    """A running server."""

    port: int
    seen: list[Seen] = field(default_factory=list)

    @property
    def asked(self) -> list[Seen]:
        """What the command asked, without our own question for the version."""
        return [seen for seen in self.seen if not seen.headers.get("user-agent", "").startswith("apisnoop/")]


@contextmanager
def fake_server(
    folder: Path, issued: Issued | None, clients: Authority | None = None, port: int = 0
) -> Iterator[FakeServer]:
    """Serve on a port (0: a free one) with a certificate (None: plain text), asking for one of `clients`."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.daemon_threads = True
    running = FakeServer(server.server_port)
    server.running = running  # type: ignore[attr-defined]
    if issued is not None:
        server.socket = _context(folder, issued, clients).wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _context(folder: Path, issued: Issued, clients: Authority | None) -> ssl.SSLContext:
    pem = folder / "server.pem"
    pem.write_bytes(issued.key + issued.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    if clients is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=clients.pem.decode())
    return context


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        certificate = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        names = dict(pair for part in (certificate or {}).get("subject", ()) for pair in part)
        headers = {name.lower(): value for name, value in self.headers.items()}
        running: FakeServer = self.server.running  # type: ignore[attr-defined]
        running.seen.append(Seen(self.path, headers, str(names.get("commonName", ""))))
        body = json.dumps(
            VERSION if self.path.endswith("/version") else {"kind": "NamespaceList", "items": []}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Audit-Id", "00000000-0000-0000-0000-000000000001")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        with suppress(ssl.SSLError, ConnectionError):  # a client that does not trust us goes away
            super().handle()
