"""Keep what is shown within bounds: mitmweb keeps every flow for ever, and grows by some kilobytes for each."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FLOW_BYTES = 5000
"""What a flow takes beside what it says, measured with mitmweb 12.2."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept."""

    flows: int = 1000
    size: int = 64 * 2**20
    """Bytes, estimated."""


class Shelf:
    """Knows what is shown, the oldest first, and has the oldest dropped when there is too much."""

    def __init__(self, bounds: Bounds, drop: Callable[[str], None]) -> None:
        """`drop` is told the id of each flow that has to go."""
        self._bounds = bounds
        self._drop = drop
        self._weights: OrderedDict[str, int] = OrderedDict()
        self._total = 0

    def put(self, flow: str, size: int) -> None:
        """Note that a flow is shown, or shown anew, with a state of `size` bytes; and make room."""
        weight = FLOW_BYTES + size
        self._total += weight - self._weights.get(flow, 0)
        self._weights[flow] = weight
        while len(self._weights) > 1 and (len(self._weights) > self._bounds.flows or self._total > self._bounds.size):
            oldest, freed = self._weights.popitem(last=False)
            self._total -= freed
            self._drop(oldest)
