"""Flows as the proxy makes them, and the hooks they go through, for tests of single addons without a proxy."""

import socket
from collections.abc import Mapping
from typing import Any

from mitmproxy.connection import ConnectionState
from mitmproxy.http import Headers, HTTPFlow, Response
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test.tflow import tflow

from apisnoop.calls.caller import Caller
from apisnoop_addons.engine.listener import Client, Listener
from apisnoop_addons.engine.upstream import Upstream

PODS = "/api/v1/namespaces/shop/pods"


def make_flow(path: str = PODS, method: str = "GET", headers: Mapping[str, str] | None = None) -> HTTPFlow:
    """Make a flow as the proxy has it before its request's body."""
    flow = tflow()
    flow.request.method, flow.request.path = method, path
    flow.request.headers = Headers([(k.encode(), v.encode()) for k, v in (headers or {}).items()])
    flow.request.content = b""
    return flow


def accepted_by(flow: HTTPFlow, identity: Caller = Caller(), path_prefix: str = "") -> HTTPFlow:  # noqa: B008  frozen
    """Let the flow come from a client of a listener that knows its callers and its server's prefix."""
    with socket.socket() as unbound:
        upstream = Upstream(host="127.0.0.1", port=6443, path_prefix=path_prefix)
        flow.client_conn = Client(
            peername=("127.0.0.1", 5),
            sockname=("127.0.0.1", 6),
            timestamp_start=1.0,
            state=ConnectionState.OPEN,
            proxy_mode=ProxyMode.parse("regular"),
            listener=Listener(socket=unbound, identity=identity, upstream=upstream),
        )
    return flow


def send(
    addons: list[Any], flow: HTTPFlow, request: bytes = b"", response: bytes = b"", status: int = 200, **headers: str
) -> None:
    """Take a flow through the hooks, its bodies in two pieces each, as the proxy streams them."""
    flow.request.stream = True
    trigger(addons, "requestheaders", flow)
    stream(flow.request.stream, request)
    flow.response = Response.make(status, b"", {k.replace("_", "-"): v for k, v in headers.items()})
    flow.response.stream = True
    trigger(addons, "responseheaders", flow)
    stream(flow.response.stream, response)
    trigger(addons, "response", flow)


def trigger(addons: list[Any], hook: str, flow: HTTPFlow) -> None:
    """Call the handlers of a hook in the addons' order."""
    for addon in addons:
        getattr(addon, hook, lambda _: None)(flow)


def stream(function: object, body: bytes) -> None:
    """Pass a body through a stream function in two pieces, and see that it comes out as it went in."""
    if callable(function):
        half = len(body) // 2
        assert function(body[:half]) + function(body[half:]) == body
