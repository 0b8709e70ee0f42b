"""What has become of a CertificateSigningRequest: each way it can end is told apart. Pure."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a request stands; the API's own words where it has any."""

    PENDING = "Pending"
    """Nobody has decided on it."""
    APPROVED = "Approved"
    """Approved, but not signed."""
    ISSUED = "Issued"
    DENIED = "Denied"
    FAILED = "Failed"
    """Approved, but the signer refuses it."""
    DELETED = "Deleted"
    """Somebody else removed it."""


FINAL = frozenset({State.ISSUED, State.DENIED, State.FAILED, State.DELETED})


@dataclass(frozen=True, slots=True)
class Outcome:
    """A state with its reason in the words of who decided, and the certificate chain (PEM) where there is one."""

    state: State
    reason: str = ""
    chain: str = ""


def outcome_of(request: Mapping[str, Any]) -> Outcome:
    """Read the state of a CertificateSigningRequest as the API server gives it."""
    status = request.get("status") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or []}
    for state in (State.DENIED, State.FAILED):
        if state in conditions:
            return Outcome(state, _reason(conditions[state]))
    if status.get("certificate"):
        return _issued(status["certificate"])
    return Outcome(State.APPROVED if State.APPROVED in conditions else State.PENDING)


def explain(outcome: Outcome, name: str, signer: str, waited: float) -> str:
    """Say in one line why there is no certificate after `waited` seconds, with the next step where there is one."""
    because = f": {outcome.reason}" if outcome.reason else ""
    match outcome.state:
        case State.DENIED:
            return f"request {name} was denied{because}; ask who approves requests in this cluster"
        case State.FAILED:
            return f"signer {signer} failed request {name}{because}"
        case State.APPROVED:
            return f"request {name} was approved, but in {waited:.0f} s nobody signed it: {signer} has no signer here"
        case State.DELETED:
            return f"request {name} was deleted while we waited; is another apisnoop-certs running?"
        case _:
            return f"nobody approved request {name} in {waited:.0f} s; run again and then: {approve_command(name)}"


def approve_command(name: str) -> str:
    """Give the command with which a human approves a request."""
    return f"kubectl certificate approve {name}"


def _issued(encoded: str) -> Outcome:
    try:
        return Outcome(State.ISSUED, chain=base64.b64decode(encoded, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return Outcome(State.FAILED, "what the signer put into status.certificate is no PEM")


def _reason(condition: Mapping[str, Any]) -> str:
    words = [condition.get("reason"), condition.get("message")]
    return " ".join(": ".join(word for word in words if word).split())
