"""What the control of one pod needs of the agent around it: the seam between the two."""

import socket
from typing import TYPE_CHECKING, Protocol

from apisnoop.node.messages import Address, Message
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.pod_state import State
from apisnoop_tproxy.succession import Succession
from apisnoop_tproxy.ways import Ways

if TYPE_CHECKING:
    from apisnoop_tproxy.pod_control import PodControl


class Desk(Protocol):
    """The agent, as pods see it."""

    generation: str
    lease: float
    node: str
    succession: Succession
    ways: Ways

    @property
    def destinations(self) -> tuple[Address, ...]:
        """Where the API is."""

    @property
    def served(self) -> bool:
        """Whether there is a proxy at all."""

    @property
    def offering(self) -> bool:
        """Whether pods can be offered to it now."""

    @property
    def well(self) -> bool:
        """Whether connections may be led to it now."""

    def say(self, message: Message, sockets: tuple[socket.socket, ...] = ()) -> None:
        """Tell the proxy."""

    def number(self, pod: "PodControl") -> int:
        """Give a new enrolment's number; what the proxy says of it goes to the pod."""

    @property
    def server(self) -> Address | None:
        """Where the proxy reaches the API server; None: where each connection was going."""

    def tell(self, pod: PodFacts, state: State) -> None:
        """Let people know of a new state."""

    def acted(self, seconds: float) -> None:
        """Count how long it took from what was wanted to the rule."""

    def lapsed(self) -> None:
        """Count a gap: connections that were led to the proxy no longer are, although they should be."""
