"""What the node agent and the node's proxy tell each other: the agent decides and is privileged, the proxy carries.

An enrolment is one pod whose new API connections are led to the proxy. Its number is the agent's, and never used twice,
not by the next agent either: a proxy asks for connections that outlast an agent. Sockets travel beside their message
(`channel`); times are seconds since the epoch.
"""

import msgspec

from apisnoop.calls.caller import Caller
from apisnoop.decoding import Decoder, decoder_of

VERSION = 1
"""Of this wire. Agent and proxy are containers of one pod: they differ only while an image is being mixed up."""

type Address = tuple[str, int]
"""An IP address as text, and a port."""


class Message(msgspec.Struct, frozen=True, tag_field="is", array_like=False):
    """What every message is."""


class Hello(Message, frozen=True, tag="hello"):
    """Proxy: first words of a worker, one of the processes that it is made of; it has no enrolments yet.

    Each worker has a channel of its own, and gets the same sockets: they accept side by side.
    """

    worker: int = 0
    """Its number, from 0 on. Another one that says the same number comes in its place."""
    version: int = VERSION
    workers: int = 1
    """How many there are of this proxy."""


class Destinations(Message, frozen=True, tag="destinations"):
    """Agent: where the API is, in full; the proxy carries connections to nowhere else."""

    addresses: tuple[Address, ...]


class Enrol(Message, frozen=True, tag="enrol"):
    """Agent: accept connections of a pod. Carries its listening sockets, one for each address family."""

    enrolment: int
    caller: Caller
    """The pod: node, namespace, name, UID, workload and service account; no container."""
    upstream: Address | None = None
    """Where its connections go: the proxy makes them in its own network. None: each where it was going, by `Dial`."""
    sources: tuple[str, ...] = ()
    """The only addresses that may connect, where others could reach the sockets. Empty: only the pod can."""


class Enrolled(Message, frozen=True, tag="enrolled"):
    """Proxy: connections of this pod are accepted from now on; the agent may lead them here."""

    enrolment: int


class Refused(Message, frozen=True, tag="refused"):
    """Proxy: this pod cannot be served; its sockets are closed."""

    enrolment: int
    reason: str


class Retire(Message, frozen=True, tag="retire"):
    """Agent: accept no more, record no more. Open connections go on, unless they are to be cut."""

    enrolment: int
    cut: bool = False
    reason: str = ""
    """Why, if recording ends although it is still wanted: it becomes a gap in the record. Empty: it is not wanted."""


class Drained(Message, frozen=True, tag="drained"):
    """Proxy: the last connection of a retired enrolment has ended."""

    enrolment: int


class Identify(Message, frozen=True, tag="identify"):
    """Proxy: which container has opened this connection, as the pod sees it?"""

    question: int
    enrolment: int
    source: Address
    destination: Address


class Identified(Message, frozen=True, tag="identified"):
    """Agent: the container's name, empty if it cannot be told, and how to treat the connection."""

    question: int
    container: str = ""
    untouched: bool = False
    """Carry it without looking into it: this container's connections cannot be read."""


class Dial(Message, frozen=True, tag="dial"):
    """Proxy: a socket in the pod's network namespace, please, to connect to `destination`."""

    question: int
    enrolment: int
    destination: Address


class Dialled(Message, frozen=True, tag="dialled"):
    """Agent: here it is, not connected and not blocking; without one, `error` says why in words."""

    question: int
    error: str = ""


class Unseen(Message, frozen=True, tag="unseen"):
    """Proxy: a connection could not be read and was closed before anything of it was sent on."""

    enrolment: int
    container: str
    reason: str
    """`client-certificate` (the client presented one, which cannot be passed on) or `certificate-rejected` (ours)."""


class Over(Message, frozen=True, tag="over"):
    """Proxy: a pod asks for more than its share; the agent is to let it go."""

    enrolment: int
    limit: str
    """What it had too much of: connections, handshakes, streams or buffered bytes."""


class Beat(Message, frozen=True, tag="beat"):
    """Proxy: alive, several times a second."""

    lag: float
    """Seconds by which the event loop is late."""


class Leaving(Message, frozen=True, tag="leaving"):
    """Proxy: it ends soon. Lead nothing new here from now on; the answer is a `Renewed` that says so."""


class Renewed(Message, frozen=True, tag="renewed"):
    """Agent: the leases of all enrolments hold until this moment; when it passes in silence, they have run out."""

    until: float
    why: str = ""
    """Why they hold no longer, if the agent has ended them itself."""


type FromProxy = Hello | Enrolled | Refused | Drained | Identify | Dial | Unseen | Over | Beat | Leaving
type FromAgent = Destinations | Enrol | Retire | Identified | Dialled | Renewed

FROM_PROXY: Decoder[FromProxy] = decoder_of(
    Hello | Enrolled | Refused | Drained | Identify | Dial | Unseen | Over | Beat | Leaving
)
FROM_AGENT: Decoder[FromAgent] = decoder_of(Destinations | Enrol | Retire | Identified | Dialled | Renewed)
"""What each side understands; a message of the other direction is an error."""

encode = msgspec.json.Encoder().encode
