"""Make mitmproxy's messages from what a peer sent, without checking again what the parser has just made.

mitmproxy's constructors check the type of every field and convert arguments for old callers: for a call in a proxy, a
tenth of all its work.
"""

import time
from collections.abc import Iterable

from mitmproxy import http


class _RequestData(http.RequestData):
    def __post_init__(self) -> None:
        """Check nothing."""


class _ResponseData(http.ResponseData):
    def __post_init__(self) -> None:
        """Check nothing."""


def make_headers(fields: Iterable[tuple[bytes, bytes]]) -> http.Headers:
    """Make headers of fields that are known to be bytes."""
    headers = http.Headers.__new__(http.Headers)
    headers.fields = tuple(fields)
    return headers


def make_request(
    method: bytes, scheme: bytes, authority: bytes, path: bytes, version: bytes, headers: http.Headers
) -> http.Request:
    """Make a request that has just begun. Host and port are left empty: where it goes is no matter of its own."""
    request = http.Request.__new__(http.Request)
    request.data = _RequestData(
        host="",
        port=0,
        method=method,
        scheme=scheme,
        authority=authority,
        path=path,
        http_version=version,
        headers=headers,
        content=None,
        trailers=None,
        timestamp_start=time.time(),
        timestamp_end=None,
    )
    return request


def make_response(version: bytes, status: int, reason: bytes, headers: http.Headers) -> http.Response:
    """Make an answer that has just begun."""
    response = http.Response.__new__(http.Response)
    response.data = _ResponseData(
        http_version=version,
        headers=headers,
        content=None,
        trailers=None,
        timestamp_start=time.time(),
        timestamp_end=None,
        status_code=status,
        reason=reason,
    )
    return response
