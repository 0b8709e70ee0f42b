"""Why a call got no whole answer, in the words of `Call.error`."""

from mitmproxy.http import HTTPFlow

CLIENT_DISCONNECTED = "client-disconnected"
UPSTREAM_ERROR = "upstream-error"
REFUSED_BY_PROXY = "refused-by-proxy"

_OUTCOME = "apisnoop.outcome"


def note_outcome(flow: HTTPFlow, outcome: str) -> None:
    """Say what ended a flow; the first to say so is right."""
    flow.metadata.setdefault(_OUTCOME, outcome)


def outcome_of(flow: HTTPFlow) -> str:
    """Tell what ended a flow; an empty string if nothing but its answer did."""
    outcome = flow.metadata.get(_OUTCOME, "")
    return outcome if isinstance(outcome, str) else ""
