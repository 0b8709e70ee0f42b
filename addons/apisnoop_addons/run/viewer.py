"""The process behind `--ui`: mitmweb for looking only, fed with redacted copies of calls on its standard input.

It is a process of its own so that whoever gets into the web interface, which is made for changing and sending
requests, finds here no proxy, no key, no token and nothing to send: it has no proxy server, everything but reading
is refused, and the copies never held a credential. It ends when its input does, or when whoever fed it is gone.

Input: flow states as mitmproxy writes them to files, one after the other; a state with a known id replaces the
earlier one. Output: one line, the address to open, login included, or what went wrong.
"""

import asyncio
import signal
import sys
import tempfile
from typing import Any, cast

from mitmproxy.http import HTTPFlow
from mitmproxy.io import tnetstring
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.tools.web.master import WebMaster
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.netutil import bind_sockets
from tornado.routing import Router
from tornado.web import Application, ErrorHandler

from apisnoop_addons.bound import Bound

HOST = "127.0.0.1"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_LOGIN = "/"
_LONGEST_LENGTH = 12
"""Digits of a tnetstring's length."""


class ReadOnly(Router):
    """Passes on what reads, and the login; refuses the rest: replaying, editing, options, commands."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:  # noqa: ANN401
        """Route a request."""
        if request.method in _READING or request.path == _LOGIN:
            return self._application.find_handler(request, **kwargs)
        return self._application.get_handler_delegate(request, ErrorHandler, {"status_code": 403})


class Viewer(WebMaster):
    """mitmweb without a proxy server, on a port of loopback."""

    def __init__(self, options: Options, port: int) -> None:
        super().__init__(options, with_termlog=False)
        self._port = port

    async def running(self) -> None:
        """Open the web interface, say where, and read what is to be shown."""
        sockets = bind_sockets(self._port, HOST)
        self.options.update(web_port=sockets[0].getsockname()[1])  # type: ignore[no-untyped-call]
        HTTPServer(ReadOnly(self.app)).add_sockets(sockets)
        await Master.running(self)
        sys.stdout.write(f"{self.web_url}\n")
        sys.stdout.flush()
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        try:
            reader = asyncio.StreamReader()
            await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
            while (state := await read_state(reader)) is not None:
                await self.show(state)
        finally:
            self.shutdown()  # type: ignore[no-untyped-call]

    async def show(self, state: dict[str, Any]) -> None:
        """Show a call, or what has become of it since."""
        known = self.view.get_by_id(state["id"])
        if known is None:
            await self.load_flow(HTTPFlow.from_state(state))  # type: ignore[no-untyped-call]
        else:
            known.set_state(state)
            self.view.update([known])


async def read_state(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """Read one flow state; None at the end of the input."""
    try:
        length = await reader.readuntil(b":")
        content = await reader.readexactly(int(length[:_LONGEST_LENGTH].rstrip(b":")) + 1)
    except asyncio.IncompleteReadError:
        return None
    return cast("dict[str, Any]", tnetstring.loads(length + content))


async def main(port: int) -> None:
    """Show calls until the input ends. Raises OSError where the port cannot be had."""
    with tempfile.TemporaryDirectory() as folder:
        options = Options(confdir=folder)
        viewer = Viewer(options, port)
        viewer.addons.add(Bound(viewer.view))  # type: ignore[no-untyped-call]
        options.update(web_open_browser=False, server=False)  # type: ignore[no-untyped-call]
        await viewer.run()


if __name__ == "__main__":
    # The run takes signals for its command in a way of its own, which processes inherit.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    try:
        asyncio.run(main(int(sys.argv[1])))
    except OSError as error:
        sys.stdout.write(f"{error.strerror or error}\n")
        sys.exit(1)
