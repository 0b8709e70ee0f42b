"""mitmweb without what could do anything: it shows flows that it is given, on loopback, to who has logged in.

mitmweb comes with some forty addons, for replaying, saving, running scripts, and a proxy server. None of them is here:
what is not there need not be refused. What is left is refused before it is asked (`read_only`), and kept within bounds.
"""

import logging
import socket
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

from mitmproxy.addons.eventstore import EventStore
from mitmproxy.addons.view import View
from mitmproxy.flow import Flow
from mitmproxy.http import HTTPFlow
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.tools.web.app import Application
from mitmproxy.tools.web.master import WebMaster
from mitmproxy.tools.web.webaddons import WebAddon, WebAuth
from tornado.httpserver import HTTPServer
from tornado.web import RequestHandler

from apisnoop_addons.bound import Bounds, Shelf
from apisnoop_addons.web.page import Looks, Page
from apisnoop_addons.web.read_only import ReadOnly
from apisnoop_addons.web.updates import GOING_AWAY, Updates
from apisnoop_addons.web.wire import Copy, Loss

COLUMNS = ["method", "path", "status", "comment", "time", "timestamp"]
"""Of the list; the comment says which pod and container called. Bodies are seldom there, so their size is left out."""
MOST_EVENTS = 500
"""Lines of the event log that are kept."""

logger = logging.getLogger(__name__)


class Health(RequestHandler):
    """GET /healthz, for whoever asks."""

    def get(self) -> None:
        """Answer."""
        self.finish("ok\n")


class Viewer(WebMaster):
    """Use in an event loop: `listen`, `take` any number of times, `close`."""

    def __init__(self, login: WebAuth, bounds: Bounds) -> None:
        # Not WebMaster's own: that is what adds the addons.
        Master.__init__(self, Options(server=False))
        self.view = View()
        self.events = EventStore(MOST_EVENTS)
        self.addons.add(WebAddon(), login, self.view, self.events)  # type: ignore[no-untyped-call]
        self.options.update(web_open_browser=False, web_columns=COLUMNS)  # type: ignore[no-untyped-call]
        self.proxyserver = cast("Any", SimpleNamespace(servers=()))  # it has none
        self.view.sig_view_add.connect(self._sig_view_add)
        self.view.sig_view_update.connect(self._sig_view_update)
        self.view.sig_view_remove.connect(self._sig_view_remove)
        self.events.sig_add.connect(self._sig_events_add)
        self.app = Application(self, debug=False)
        # Addresses that are asked for may hold the login.
        self.app.settings["log_function"] = _log_nothing
        self.app.add_handlers(
            ".*", [(r"/", Page), (r"/apisnoop.css", Looks), (r"/updates", Updates), (r"/healthz", Health)]
        )
        self._shelf = Shelf(bounds, self._drop)
        self._server = HTTPServer(ReadOnly(self.app), max_header_size=2**15, max_body_size=2**15)

    def listen(self, sockets: Iterable[socket.socket]) -> None:
        """Answer on listening sockets, of which all have one port."""
        sockets = list(sockets)
        host, port = sockets[0].getsockname()[:2]
        self.options.update(web_host=host, web_port=port)  # type: ignore[no-untyped-call]
        self._server.add_sockets(sockets)

    def take(self, message: Copy | Loss) -> None:
        """Show a call, or what has become of it since; or say that some are not shown."""
        if isinstance(message, Loss):
            logger.warning("calls left out here: %d, more than can be looked at; all are recorded", message.calls)
            return
        state, name = message.state, message.state["id"]  # flows take their states apart
        known = self.view.get_by_id(name)
        if known is None:
            self.view.add([cast("HTTPFlow", HTTPFlow.from_state(state))])
        else:
            known.set_state(cast("Any", state))
            self.view.update([known])
        self._shelf.put(name, message.size)

    async def close(self) -> None:
        """End all connections."""
        self._server.stop()
        for browser in cast("list[Updates]", list(Updates.connections)):
            browser.leave(GOING_AWAY, "the viewer ends")
        await self._server.close_all_connections()
        await self.done()

    def _drop(self, flow: str) -> None:
        known = self.view.get_by_id(flow)
        if known is not None:
            self.view.remove([known])

    def _sig_view_add(self, flow: Flow) -> None:
        if Updates.connections:
            super()._sig_view_add(flow)

    def _sig_view_update(self, flow: Flow) -> None:
        if Updates.connections:
            super()._sig_view_update(flow)


def _log_nothing(_handler: RequestHandler) -> None:
    """Log no requests."""
