"""Say who makes a call: what the listening socket knows, what the program calls itself, and what its token claims.

The socket is beyond doubt. A token's claims are believed when the API server has taken the token, which is when it
answered with anything but 401; until then, and for calls without an answer, they are nobody's. The token itself is
dropped as soon as its claims are read.
"""

from collections import OrderedDict
from hashlib import blake2b
from typing import NamedTuple

import msgspec
from mitmproxy.http import HTTPFlow

from apisnoop.calls.agent import parse_agent
from apisnoop.calls.caller import Caller
from apisnoop.calls.identity import caller_of
from apisnoop_addons.claims import NO_CLAIMS, Claims, parse_claims
from apisnoop_addons.engine.listener import Client
from apisnoop_addons.headers import first_header

CALLER = "apisnoop.caller"
"""Key in `flow.metadata` of the `Caller`: at `requestheaders` what needs no proof, from `responseheaders` on all."""

_CLAIMED = "apisnoop.claimed"
KNOWN_CALLERS = 4096
"""Callers kept ready, the least recently used dropped first; one that is made anew is equal, only slower."""


class Callers(NamedTuple):
    """One caller before and after its token has been taken."""

    stated: Caller
    proven: Caller


class Identify:
    """The addon. Behind `stream`, before `record`."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Caller, str, bytes], Callers] = OrderedDict()

    def requestheaders(self, flow: HTTPFlow) -> None:
        """Note the caller as far as it needs no proof."""
        callers = self._callers_of(flow)
        flow.metadata[CALLER] = callers.stated
        flow.metadata[_CLAIMED] = callers.proven

    def responseheaders(self, flow: HTTPFlow) -> None:
        """Believe the token, now that the server has."""
        proven = flow.metadata.pop(_CLAIMED, None)
        if proven is not None and flow.response is not None and flow.response.status_code != 401:
            flow.metadata[CALLER] = proven

    def _callers_of(self, flow: HTTPFlow) -> Callers:
        fields = flow.request.headers.fields
        agent, authorization = first_header(fields, b"user-agent"), first_header(fields, b"authorization")
        listened = flow.client_conn.caller if isinstance(flow.client_conn, Client) else Caller()
        presented = _presented_name(flow)
        key = (listened, agent, blake2b(f"{presented}\n{authorization}".encode(), digest_size=16).digest())
        callers = self._known.get(key)
        if callers is None:
            callers = self._known[key] = _make_callers(listened, agent, parse_claims(authorization), presented)
            if len(self._known) > KNOWN_CALLERS:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return callers


def _make_callers(listened: Caller, agent: str, claims: Claims, presented: str) -> Callers:
    return Callers(_merge(listened, agent, NO_CLAIMS, ""), _merge(listened, agent, claims, presented))


def _merge(listened: Caller, agent: str, claims: Claims, presented: str) -> Caller:
    """Join what the socket knows with what the request says; the socket's word stands."""
    told = caller_of(
        claims.user or presented, parse_agent(agent), pod=claims.pod, pod_uid=claims.pod_uid, node=claims.node
    )
    known = {name: value for name, value in msgspec.structs.asdict(listened).items() if value}
    return msgspec.structs.replace(told, **known)


def _presented_name(flow: HTTPFlow) -> str:
    """Give the user name in the certificate that the client proved to hold, which is its common name."""
    certificates = flow.client_conn.certificate_list
    return (certificates[0].cn or "") if certificates else ""
