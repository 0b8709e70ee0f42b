"""Read the heads of HTTP/1.1 messages (RFC 9112), strictly: what two readers could take differently is refused."""

import re
from collections.abc import Iterable

from mitmproxy import http

from apisnoop_addons.engine.messages import make_headers, make_request, make_response

_VERSIONS = frozenset({b"HTTP/1.1", b"HTTP/1.0"})


def parse_request_head(lines: list[bytearray]) -> http.Request:
    """Read a request's head from its lines. Raise ValueError for what is none."""
    method, target, version = bytes(lines[0]).split(b" ")
    if version not in _VERSIONS or not method.isalpha():
        raise ValueError("no HTTP/1 request line")
    if not target.startswith(b"/") and target != b"*":
        scheme, separator, rest = target.partition(b"://")
        if not separator or scheme.lower() not in {b"http", b"https"}:
            raise ValueError("the request's target is no path")
        slash = rest.find(b"/")
        target = rest[slash:] if slash >= 0 else b"/"
    return make_request(method, b"", b"", target, version, make_headers(_read_fields(lines)))


def parse_response_head(lines: list[bytearray]) -> http.Response:
    """Read an answer's head from its lines. Raise ValueError for what is none."""
    version, _, rest = bytes(lines[0]).partition(b" ")
    status, _, reason = rest.partition(b" ")
    if version not in _VERSIONS or len(status) != 3 or not status.isdigit():
        raise ValueError("no HTTP/1 status line")
    return make_response(version, int(status), reason, make_headers(_read_fields(lines)))


def _read_fields(lines: list[bytearray]) -> Iterable[tuple[bytes, bytes]]:
    fields = []
    for line in lines[1:]:
        name, separator, value = bytes(line).partition(b":")
        if not separator or not name or name[0] in b" \t":
            raise ValueError("no header field")
        fields.append((name, value.strip()))
    return fields


_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNPRINTABLE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_OF_ONE_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"te"})


def to_http1(request: http.Request, *, has_body: bool) -> http.Request:
    """Write an HTTP/2 request as one of HTTP/1.1. Raise ValueError if it cannot be written without being misread."""
    data = request.data
    if b" " in data.path or _UNPRINTABLE.search(data.path) or not _TOKEN.fullmatch(data.method):
        raise ValueError("the request line would be misread")
    fields, cookies, sized = [(b"host", data.authority)], [], False
    for name, value in data.headers.fields:
        if not _TOKEN.fullmatch(name) or _UNPRINTABLE.search(value):
            raise ValueError("a header field would be misread")
        if name == b"cookie":
            cookies.append(value)
        elif name not in _OF_ONE_HOP and (name != b"host" or not data.authority):
            fields.append((name, value))
            sized = sized or name == b"content-length"
    if cookies:
        fields.append((b"cookie", b"; ".join(cookies)))
    if has_body and not sized:
        fields.append((b"transfer-encoding", b"chunked"))
    headers = make_headers(field for field in fields if field != (b"host", b""))
    return make_request(data.method, b"", b"", data.path, b"HTTP/1.1", headers)
