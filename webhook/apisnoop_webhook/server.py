"""The HTTPS server: three paths for the API server's reviews, two for the kubelet's probes, and nothing else.

Bounded in every direction: size of a body and of headers, time for either, open connections. The certificate may be
exchanged at any time; new connections get the new one.
"""

import logging
import os
import ssl
from collections.abc import Callable
from functools import cached_property

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.web import Application, HTTPError, RequestHandler

from apisnoop_webhook.reviewer import Asked, Reviewer

LARGEST = 4 * 1024 * 1024
"""Bytes of a review. The API server takes no request over 3 MiB, and the review holds the pod once."""
MOST_CONNECTIONS = 1024
MOST_OF_ONE = 128
"""From one address: an API server opens one for each pod that it creates at a time, and a pod is kept from more."""
_CHUNK = 64 * 1024
_BODY_LIMIT = 3.0
"""Seconds for a body, as long as the API server waits for an answer."""
_IDLE_LIMIT = 120.0
"""Seconds without a request; the API server gives up idle connections after 90."""

_log = logging.getLogger(__name__)


class Server(HTTPServer):
    """tornado's server with an end to the number of its connections, in all and from one address."""

    @cached_property
    def _sources(self) -> dict[IOStream, object]:
        """The address of each connection's other side."""
        return {}

    def handle_stream(self, stream: IOStream, address: tuple[object, ...]) -> None:
        sources = list(self._sources.values())
        if len(sources) >= MOST_CONNECTIONS or sources.count(address[0]) >= MOST_OF_ONE:
            stream.close()
            return
        self._sources[stream] = address[0]
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        assert isinstance(server_conn, HTTP1ServerConnection)
        del self._sources[server_conn.stream]
        super().on_close(server_conn)


class Review(RequestHandler):
    """POST of an AdmissionReview."""

    def initialize(self, reviewer: Reviewer, asked: Asked) -> None:
        self._reviewer = reviewer
        self._asked = asked

    async def post(self) -> None:
        try:
            given = await self._reviewer.review(self.request.body, self._asked)
        except ValueError as error:
            _log.warning("not a review of a pod: %s", error)
            raise HTTPError(400) from None
        self.set_header("Content-Type", "application/json")
        await self.finish(given)


class Probe(RequestHandler):
    """GET of a state: 200 while it holds, 503 while it does not."""

    def initialize(self, holds: Callable[[], bool]) -> None:
        self._holds = holds

    async def get(self) -> None:
        self.set_status(200 if self._holds() else 503)
        self.set_header("Content-Type", "text/plain")
        await self.finish("ok\n" if self._holds() else "not ready\n")


def make_server(reviewer: Reviewer, ready: Callable[[], bool], tls: ssl.SSLContext) -> Server:
    """Make the server; `listen` starts it."""
    paths = [(f"/{asked}", Review, {"reviewer": reviewer, "asked": asked}) for asked in Asked]
    probes = [("/healthz", Probe, {"holds": lambda: True}), ("/readyz", Probe, {"holds": ready})]
    return Server(
        Application([*paths, *probes], log_function=_log_failure),
        ssl_options=tls,
        max_body_size=LARGEST,
        max_buffer_size=LARGEST + _CHUNK,
        chunk_size=_CHUNK,
        max_header_size=16 * 1024,
        body_timeout=_BODY_LIMIT,
        idle_connection_timeout=_IDLE_LIMIT,
    )


def make_tls() -> ssl.SSLContext:
    """Make the server's side of TLS; without a certificate yet, it refuses every connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Use a certificate (PEM chain) and its key for connections from now on.

    Raises ssl.SSLError, and goes on with the old one, if they are none or do not belong together.
    """
    # OpenSSL reads them from files only; this one has no name and is in no file system.
    descriptor = os.memfd_create("webhook", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(f"{key}\n{certificate}".encode())
        path = f"/proc/self/fd/{descriptor}"
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)  # tried first: a half-loaded pair serves nobody
        context.load_cert_chain(path)
    finally:
        os.close(descriptor)


def _log_failure(handler: RequestHandler) -> None:
    """Log what was not answered well; probes and reviews that were would fill the log."""
    status = handler.get_status()
    if status >= 400 and not isinstance(handler, Probe):
        _log.warning("%s %s: %s", handler.request.method, handler.request.path, status)
