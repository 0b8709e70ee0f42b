"""What `kubectl apisnoop` asks a node's proxy through a port-forward: how it is, a snapshot of its store, and calls as
they come.

Only loopback is listened on: who may port-forward into this pod is the cluster's RBAC's business, and nobody else can
reach it. Nothing is told here that is not in the store.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from apisnoop import __version__
from apisnoop.errors import ApisnoopError
from apisnoop.node.status import ProxyStatus
from apisnoop_addons.node.snapshots import Snapshots

CHUNK = 1 << 20
"""Bytes of a snapshot sent at a time."""
STALLED_SECONDS = 30.0
"""For which a client may take none of them: others wait for their turn."""


class Watch(Protocol):
    """Calls as they are made."""

    async def next(self) -> bytes:
        """Wait for the next, as a line; empty when there will be no more."""

    def close(self) -> None:
        """End it."""


class Source(Protocol):
    """What there is to tell."""

    async def snapshot(self, path: Path) -> None:
        """Write the store to a new file."""

    def watch(self) -> Watch:
        """Begin to hand out calls."""

    @property
    def trouble(self) -> str:
        """Why the store could not be written, if it could not."""


class _Answer(RequestHandler):
    def set_default_headers(self) -> None:
        self.set_header("Server", f"apisnoop-proxy/{__version__}")
        self.set_header("Cache-Control", "no-store")


class Health(_Answer):
    """GET /healthz."""

    def get(self) -> None:
        """Answer: whoever gets this knows that the proxy runs. A new one would not mend a full disk."""
        self.finish("ok\n")


class Readiness(_Answer):
    """GET /readyz."""

    def initialize(self, source: Source) -> None:
        """Take who knows."""
        self.source = source

    def get(self) -> None:
        """Answer ok, or why what is recorded cannot be kept."""
        if self.source.trouble:
            self.set_status(503)
        self.finish((self.source.trouble or "ok") + "\n")


class Status(_Answer):
    """GET /status."""

    def initialize(self, status: Callable[[], ProxyStatus]) -> None:
        """Take who knows."""
        self.status = status

    def get(self) -> None:
        """Say which pods are recorded, and how much of them."""
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(self.status()) + b"\n")


class Snapshot(_Answer):
    """GET /snapshot: a store."""

    def initialize(self, snapshots: Snapshots) -> None:
        """Take who makes them."""
        self.snapshots = snapshots
        self.gone = asyncio.get_running_loop().create_future()

    async def get(self) -> None:
        """Send all that is known now as an SQLite file."""
        try:
            async with self.snapshots.take(lambda: not self.gone.done()) as file:
                if file is not None:
                    await self._send(file)
        except ApisnoopError as error:
            self.set_status(503)
            self.finish(f"{error}\n")
        except StreamClosedError:
            pass

    async def _send(self, file: BinaryIO) -> None:
        self.set_header("Content-Type", "application/vnd.sqlite3")
        self.set_header("Content-Length", str(os.fstat(file.fileno()).st_size))
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            self.write(chunk)
            sent = asyncio.ensure_future(self.flush())  # of a client that goes away, tornado may never say that it ends
            await asyncio.wait((sent, self.gone), timeout=STALLED_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not sent.done():
                self.detach().close()
                return
            sent.result()

    def on_connection_close(self) -> None:
        """Neither make nor send a snapshot for a client that is gone."""
        if not self.gone.done():
            self.gone.set_result(None)


class Calls(_Answer):
    """GET /calls: a stream."""

    watch: Watch | None = None

    def initialize(self, source: Source) -> None:
        """Take who knows."""
        self.source = source

    async def get(self) -> None:
        """Send each call as a JSON line, from now on until the client goes."""
        self.set_header("Content-Type", "application/x-ndjson")
        self.watch = self.source.watch()
        try:
            await self.flush()
            while line := await self.watch.next():
                self.write(line)
                await self.flush()
        except StreamClosedError:
            pass
        finally:
            self.watch.close()

    def on_connection_close(self) -> None:
        """Wait for no more calls: nobody reads them."""
        if self.watch is not None:
            self.watch.close()


def serve(source: Source, status: Callable[[], ProxyStatus], host: str, port: int, scratch: Path) -> HTTPServer:
    """Answer on host and port, in the running event loop; snapshots are made in `scratch`. Raises OSError."""
    application = Application(
        [
            ("/healthz", Health),
            ("/readyz", Readiness, {"source": source}),
            ("/status", Status, {"status": status}),
            ("/snapshot", Snapshot, {"snapshots": Snapshots(source.snapshot, scratch)}),
            ("/calls", Calls, {"source": source}),
        ],
        log_function=_quiet,
    )
    server = HTTPServer(application, max_body_size=1 << 16, max_header_size=1 << 14)
    server.add_sockets(bind_sockets(port, host))
    return server


def _quiet(_handler: RequestHandler) -> None:
    """Log no requests: they are ours."""
