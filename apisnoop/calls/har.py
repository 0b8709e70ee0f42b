"""HAR files (HTTP Archive 1.2): one entry is one call. Browsers, proxies and client tracers write them.

Source: http://www.softwareishard.com/blog/har-12-spec/. A HAR does not know who the server took the client for, so the
caller is the user agent alone. Bodies and headers other than the two used here are skipped by the decoder.
"""

from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from apisnoop.calls.agent import parse_agent
from apisnoop.calls.call import Call
from apisnoop.calls.caller import Caller
from apisnoop.calls.reader import Matcher
from apisnoop.calls.redaction import kept_url
from apisnoop.decoding import decoder_of

BAD_ENTRY = "not-har"
NOT_KUBERNETES = "not-kubernetes"
"""A browser's HAR holds other sites too: what is no operation counts only below `ROOTS`."""
ROOTS = frozenset({"api", "apis", "healthz", "livez", "logs", "openapi", "openid", "readyz", "version", ".well-known"})


class Header(msgspec.Struct, gc=False):
    """One header."""

    name: str
    value: str = ""


class Request(msgspec.Struct, rename="camel", gc=False):
    """What was sent."""

    method: str
    url: str
    headers: tuple[Header, ...] = ()
    body_size: int = -1

    def header(self, name: str) -> str:
        """Give the value of a header, or an empty string."""
        return next((header.value for header in self.headers if header.name.lower() == name), "")


class Response(msgspec.Struct, rename="camel", gc=False):
    """What came back; status 0 where nothing did."""

    status: int = 0
    headers: tuple[Header, ...] = ()
    body_size: int = -1


class Entry(msgspec.Struct, rename="camel", gc=False):
    """One exchange; `time` is its duration in milliseconds."""

    started_date_time: Annotated[datetime, msgspec.Meta(tz=True)]
    request: Request
    response: Response = msgspec.field(default_factory=Response)
    time: float | None = None


_decoder = decoder_of(Entry)


def call_of_entry(entry: bytes, matcher: Matcher) -> Call | str:
    """Make the call of one entry, or give the reason why it is none: `BAD_ENTRY` or `NOT_KUBERNETES`."""
    try:
        found = _decoder.decode(entry)
        parts = urlsplit(found.request.url)
    except (msgspec.DecodeError, ValueError):
        return BAD_ENTRY
    request, response = found.request, found.response
    url = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    match = matcher.match(request.method, url, request.header("content-type"))
    if match.operation is None and ROOTS.isdisjoint(parts.path.split("/")[1:2]):
        return NOT_KUBERNETES
    agent = parse_agent(request.header("user-agent"))
    audit_ids = (header.value for header in response.headers if header.name.lower() == "audit-id")
    return Call(
        match=match,
        caller=Caller(
            client=agent.client, client_version=agent.client_version, component=agent.component, test=agent.test
        ),
        method=request.method,
        path=kept_url(url),
        status=response.status,
        started=found.started_date_time.timestamp(),
        duration=max(0.0, found.time or 0.0) / 1000,
        request_bytes=max(0, request.body_size),
        response_bytes=max(0, response.body_size),
        audit_id=next(audit_ids, ""),
    )
