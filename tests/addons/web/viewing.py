"""A viewer in the test's own event loop, and what asks it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import bcrypt
from mitmproxy.http import HTTPFlow
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.netutil import bind_sockets
from tornado.websocket import WebSocketClientConnection, websocket_connect

from apisnoop.calls.caller import Caller
from apisnoop_addons.bound import Bounds
from apisnoop_addons.identify import CALLER
from apisnoop_addons.redact import redacted_copy
from apisnoop_addons.web.login import HashedLogin
from apisnoop_addons.web.viewer import Viewer
from apisnoop_addons.web.wire import Copy, encode_copy
from tests.addons.flows import PODS, make_flow, send

PASSWORD = "correct-horse"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
"""As cheap as bcrypt can be: tests log in often."""
WEB = Caller(namespace="shop", pod="web-1", container="app", service_account="shop/web", client="kubectl")


def write_hash(folder: Path) -> Path:
    """Write the password's hash to a file."""
    file = folder / "hash"
    file.write_text(f"{HASH}\n")
    return file


class Looker:
    """Who looks at a viewer: asks it over HTTP."""

    def __init__(self, viewer: Viewer, port: int) -> None:
        self.viewer = viewer
        self.url = f"http://127.0.0.1:{port}"

    async def ask(self, path: str, method: str = "GET", *, password: str = PASSWORD, **more: Any) -> HTTPResponse:
        """Send a request; any status is an answer."""
        headers = {**({"Authorization": f"Bearer {password}"} if password else {}), **more.pop("headers", {})}
        request = HTTPRequest(
            self.url + path, method=method, headers=headers, allow_nonstandard_methods=True, request_timeout=20, **more
        )
        return await AsyncHTTPClient().fetch(request, raise_error=False)


@asynccontextmanager
async def viewing(folder: Path, bounds: Bounds = Bounds()) -> AsyncIterator[Looker]:  # noqa: B008  frozen
    """Start a viewer on a free port, and end it."""
    viewer = Viewer(HashedLogin(write_hash(folder)), bounds)
    sockets = bind_sockets(0, "127.0.0.1")
    viewer.listen(sockets)
    try:
        yield Looker(viewer, sockets[0].getsockname()[1])
    finally:
        await viewer.close()


@asynccontextmanager
async def looking_on(looker: Looker) -> AsyncIterator[WebSocketClientConnection]:
    """Connect as mitmweb's page does, to be told what is new."""
    address = f"{looker.url}/updates".replace("http", "ws")
    browser = await websocket_connect(HTTPRequest(address, headers={"Authorization": f"Bearer {PASSWORD}"}))
    try:
        yield browser
    finally:
        ended = browser.close_code is not None
        browser.close()
        while not ended and await browser.read_message() is not None:
            pass


def made_flow(
    path: str = PODS, method: str = "GET", status: int = 200, caller: Caller = WEB, **headers: str
) -> HTTPFlow:
    """Make a flow that has been through the proxy."""
    flow = make_flow(path, method, headers)
    flow.metadata[CALLER] = caller
    send([], flow, status=status)
    return flow


def copied(flow: HTTPFlow) -> Copy:
    """Make the message that shows a flow."""
    copy = redacted_copy(flow)
    return Copy(copy.get_state(), len(encode_copy(copy)))
