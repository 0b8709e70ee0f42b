"""Keep what is shown within bounds: mitmweb keeps every flow for ever, and grows by 5 kB for each.

For the process that shows redacted copies. The proxy itself keeps no call once it is over, and no message of an
upgraded connection at any time.
"""

from collections.abc import Sequence
from typing import Protocol

from mitmproxy.flow import Flow
from mitmproxy.http import HTTPFlow

MOST_FLOWS = 1000
MOST_BYTES = 64 * 2**20
FLOW_BYTES = 5000
"""What a flow takes beside its bodies, measured with mitmweb 12.2."""


class View(Protocol):
    """What keeps the flows: mitmproxy's view."""

    def resolve(self, flow_spec: str) -> Sequence[Flow]:
        """Give flows, the oldest first; "@all" for all."""
        ...

    def remove(self, flows: Sequence[Flow]) -> None:
        """Drop flows."""
        ...


class Bound:
    """The addon. Behind the view. Drops the oldest flows when there are too many, or they hold too much."""

    def __init__(self, view: View, *, flows: int = MOST_FLOWS, size: int = MOST_BYTES) -> None:
        self._view = view
        self._flows = flows
        self._size = size

    def requestheaders(self, flow: HTTPFlow) -> None:  # noqa: ARG002  whichever it is, it is in the view by now
        """Make room after a new flow."""
        kept = self._view.resolve("@all")
        surplus, total = len(kept) - self._flows, sum(map(weigh, kept))
        for position, oldest in enumerate(kept[:-1]):
            if position >= surplus and total <= self._size:
                return
            total -= weigh(oldest)
            self._view.remove([oldest])


def weigh(flow: Flow) -> int:
    """Estimate the bytes that a flow takes."""
    bodies = [flow.request, flow.response] if isinstance(flow, HTTPFlow) else []
    return FLOW_BYTES + sum(len(body.raw_content or b"") for body in bodies if body is not None)
