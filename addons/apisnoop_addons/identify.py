"""Say who makes a call: what the listening socket knows, what the program calls itself, and what its token claims.

The socket is beyond doubt. A token's claims are believed when the API server has taken the token, which is when it
answered with anything but 401; until then, and for calls without an answer, they are nobody's. A call in another's name
(kubectl --as) is that other's once the server has allowed it. The token itself is dropped as soon as its claims are
read.
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
NOT_AUTHENTICATED = frozenset({401})
NOT_ALLOWED = frozenset({403})
"""Also the answer to who may not call in another's name."""
KNOWN_CALLERS = 4096
"""Callers kept ready, the least recently used dropped first; one that is made anew is equal, only slower."""


class Callers(NamedTuple):
    """One caller before and after its token has been taken."""

    stated: Caller
    proven: Caller
    refusals: frozenset[int]
    """Statuses of answers that prove nothing: the server may have refused to believe who calls."""


class Identify:
    """The addon. Behind `stream`, before `record`."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Caller, str, bytes], Callers] = OrderedDict()

    def requestheaders(self, flow: HTTPFlow) -> None:
        """Note the caller as far as it needs no proof."""
        callers = self._callers_of(flow)
        flow.metadata[CALLER] = callers.stated
        flow.metadata[_CLAIMED] = callers

    def responseheaders(self, flow: HTTPFlow) -> None:
        """Believe the token, now that the server has."""
        callers = flow.metadata.pop(_CLAIMED, None)
        if callers is not None and flow.response is not None and flow.response.status_code not in callers.refusals:
            flow.metadata[CALLER] = callers.proven

    def _callers_of(self, flow: HTTPFlow) -> Callers:
        fields = flow.request.headers.fields
        agent, authorization = first_header(fields, b"user-agent"), first_header(fields, b"authorization")
        listened = flow.client_conn.caller if isinstance(flow.client_conn, Client) else Caller()
        presented, impersonated = _presented_name(flow), first_header(fields, b"impersonate-user")
        said = f"{presented}\n{impersonated}\n{authorization}"
        key = (listened, agent, blake2b(said.encode("utf-8", "surrogateescape"), digest_size=16).digest())
        callers = self._known.get(key)
        if callers is None:
            if impersonated:
                callers = _impersonating(listened, agent, impersonated)
            else:
                callers = _make_callers(listened, agent, parse_claims(authorization), presented)
            self._known[key] = callers
            if len(self._known) > KNOWN_CALLERS:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return callers


def _make_callers(listened: Caller, agent: str, claims: Claims, presented: str) -> Callers:
    return Callers(
        _merge(listened, agent, NO_CLAIMS, ""), _merge(listened, agent, claims, presented), NOT_AUTHENTICATED
    )


def _impersonating(listened: Caller, agent: str, user: str) -> Callers:
    """Make the callers of a request in another's name: it is theirs when the server allows that, else nobody's.

    Whose token it was is no matter then, as in the audit log; and neither is the pod's own service account.
    """
    named = _merge(msgspec.structs.replace(listened, service_account=""), agent, NO_CLAIMS, user)
    return Callers(_merge(listened, agent, NO_CLAIMS, ""), named, NOT_AUTHENTICATED | NOT_ALLOWED)


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
