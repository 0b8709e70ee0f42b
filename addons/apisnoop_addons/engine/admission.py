"""What is decided about a connection when it has been accepted, before a byte of it is read."""

from dataclasses import dataclass

from apisnoop.calls.caller import Caller


@dataclass(frozen=True, slots=True)
class Admission:
    """One connection's: who calls, and how it is treated."""

    caller: Caller | None
    """Who calls; None: the connection is closed at once."""
    untouched: bool = False
    """Pass the bytes on as they are, TLS included, and record nothing."""
    upstream: tuple[str, int] | None = None
    """Host and port to connect to; None: those of the listener's `Upstream`. What is verified stays the same."""
