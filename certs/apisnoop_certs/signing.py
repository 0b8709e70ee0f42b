"""One request to one signer: made, approved, awaited, tried, and deleted whatever happens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from apisnoop.errors import ApisnoopError
from apisnoop_certs.acceptance import refusal
from apisnoop_certs.leaf import Leaf
from apisnoop_certs.outcome import Outcome, State, approve_command, explain
from apisnoop_certs.refusals import NotSignedError
from apisnoop_certs.server_names import ServerNames
from apisnoop_certs.signing_request import make_signing_request, request_object

type Say = Callable[[str], None]


class Requests(Protocol):
    """What a cluster does with CertificateSigningRequests."""

    def create_request(self, request: Mapping[str, Any]) -> None:
        """Create one, in the place of one left behind."""

    def approve_request(self, name: str) -> None:
        """Approve one."""

    def await_request(self, name: str, seconds: float) -> Outcome:
        """Wait until one is decided."""

    def delete_request(self, name: str) -> bool:
        """Delete one, if it is there."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A certificate to ask for."""

    request: str
    """Name of the CertificateSigningRequest."""
    signer: str
    lifetime: timedelta
    names: ServerNames
    authorities: str
    """What pods trust (PEM): they must accept the result."""


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approves, and how long everything may take together."""

    manual: bool
    wait: timedelta


def obtain(requests: Requests, wanted: Wanted, approval: Approval, say: Say) -> Leaf:
    """Have one certificate signed and see that pods accept it.

    Raises NotSignedError with the reason if not.
    """
    fresh = make_signing_request(wanted.names)
    try:
        # Within the `try`: it may have been created although its answer got lost, or while a signal came.
        requests.create_request(request_object(wanted.request, fresh, wanted.signer, wanted.lifetime))
        chain = _await_chain(requests, wanted, approval, say)
    finally:
        _delete(requests, wanted.request, say)
    leaf = Leaf(chain, fresh.key)
    if why := refusal(leaf, wanted.authorities, wanted.names):
        raise NotSignedError(f"signer {wanted.signer} signed, but pods do not accept it: {why}")
    return leaf


def _await_chain(requests: Requests, wanted: Wanted, approval: Approval, say: Say) -> str:
    if approval.manual:
        say(f"approve the request within {approval.wait.total_seconds():.0f} s: {approve_command(wanted.request)}")
    else:
        requests.approve_request(wanted.request)
    seconds = approval.wait.total_seconds()
    outcome = requests.await_request(wanted.request, seconds)
    if outcome.state is not State.ISSUED:
        raise NotSignedError(explain(outcome, wanted.request, wanted.signer, seconds))
    return outcome.chain


def _delete(requests: Requests, name: str, say: Say) -> None:
    """Remove the request. What goes wrong here is said and does not hide what went wrong before."""
    try:
        requests.delete_request(name)
    except ApisnoopError as error:
        say(f"{error}; delete the request yourself: kubectl delete csr {name}")
