"""Keep bodies for looking at, for whoever asks for it: a bounded piece of each, and never where secrets are at home.

Off unless this addon is there. What it may keep is decided before the first byte: only of operations that the
catalogue knows, of resources that are not made for secrets, and nothing that is passed on to something behind the API
server. An object can hold a secret where nobody expects one, so a person has to ask for this.
"""

import re

from mitmproxy.http import HTTPFlow

from apisnoop.calls.reader import Matcher
from apisnoop.operations.match import Match
from apisnoop_addons.engine.listener import is_recorded
from apisnoop_addons.headers import first_header
from apisnoop_addons.record import recorded_path

LARGEST = 64 * 1024
"""Bytes kept of a body."""

_KEPT = "apisnoop.bodies"
_SENSITIVE = re.compile(r"secret|token|credential|password|certificatesigningrequest|podcertificate", re.IGNORECASE)
_PASSED_ON = frozenset({"exec", "attach", "portforward", "proxy", "log"})
"""Subresources whose bodies come from, or go to, a program in a pod."""


class Kept:
    """The first bytes of a call's two bodies."""

    __slots__ = ("limit", "request", "response")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.request = bytearray()
        self.response = bytearray()

    def add(self, body: bytearray, data: bytes) -> None:
        """Keep of data what there is room for."""
        body += data[: self.limit - len(body)]


class Bodies:
    """The addon. Behind `record`, whose functions for passing bodies on it goes around."""

    def __init__(self, matcher: Matcher, limit: int = LARGEST) -> None:
        self._matcher = matcher
        self._limit = limit

    def requestheaders(self, flow: HTTPFlow) -> None:
        """Decide whether bodies may be kept, and begin."""
        if not is_recorded(flow):
            return
        content_type = first_header(flow.request.headers.fields, b"content-type")
        if not may_keep(self._matcher.match(flow.request.method, recorded_path(flow), content_type)):
            return
        kept, pass_on = Kept(self._limit), flow.request.stream
        flow.metadata[_KEPT] = kept

        def pass_request(data: bytes) -> object:
            kept.add(kept.request, data)
            return pass_on(data) if callable(pass_on) else data

        flow.request.stream = pass_request  # type: ignore[assignment]  # what was there is called, and its answer given

    def responseheaders(self, flow: HTTPFlow) -> None:
        """Go on with the answer."""
        kept = flow.metadata.get(_KEPT)
        if not isinstance(kept, Kept) or flow.response is None:
            return
        pass_on = flow.response.stream

        def pass_response(data: bytes) -> object:
            kept.add(kept.response, data)
            return pass_on(data) if callable(pass_on) else data

        flow.response.stream = pass_response  # type: ignore[assignment]  # as above


def may_keep(match: Match) -> bool:
    """Tell whether the bodies of such a call may be kept."""
    if match.operation is None or match.subresource in _PASSED_ON:
        return False
    return not _SENSITIVE.search(f"{match.resource}/{match.subresource}")


def kept_bodies(flow: HTTPFlow) -> tuple[bytes | None, bytes | None]:
    """Give what was kept of a flow's request and answer; None: nothing was to be kept."""
    kept = flow.metadata.get(_KEPT)
    return (bytes(kept.request), bytes(kept.response)) if isinstance(kept, Kept) else (None, None)
