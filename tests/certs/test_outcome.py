"""Every way a CertificateSigningRequest can end, and the words for it."""

import base64

import pytest

from apisnoop_certs.outcome import Outcome, State, explain, outcome_of

SIGNED = base64.b64encode(b"PEM").decode()
NO_PEM = Outcome(State.FAILED, "what the signer put into status.certificate is no PEM")


def status(*conditions, certificate=""):
    return {
        "status": {
            "conditions": [{"type": kind, "reason": "Why", "message": "so\nand so"} for kind in conditions],
            **({"certificate": certificate} if certificate else {}),
        }
    }


@pytest.mark.parametrize(
    ("request_object", "expected"),
    [
        ({}, Outcome(State.PENDING)),
        ({"status": {}}, Outcome(State.PENDING)),
        (status("Approved"), Outcome(State.APPROVED)),
        (status("Approved", certificate=SIGNED), Outcome(State.ISSUED, chain="PEM")),
        (status("Denied"), Outcome(State.DENIED, "Why: so and so")),
        (status("Approved", "Failed"), Outcome(State.FAILED, "Why: so and so")),
        (
            status("Approved", certificate="%%"),
            NO_PEM,
        ),
    ],
)
def test_each_state_is_told_apart(request_object, expected):
    """With the reason of who decided, in one line."""
    assert outcome_of(request_object) == expected


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Outcome(State.DENIED, "No: never"), "request r was denied: No: never; ask who approves"),
        (Outcome(State.FAILED, "Why"), "signer s failed request r: Why"),
        (Outcome(State.APPROVED), "request r was approved, but in 60 s nobody signed it: s has no signer here"),
        (
            Outcome(State.PENDING),
            "nobody approved request r in 60 s; run again and then: kubectl certificate app",
        ),
        (Outcome(State.DELETED), "request r was deleted while we waited"),
    ],
)
def test_each_failure_has_its_own_words(outcome, told):
    """One line, with the next step where there is one."""
    assert explain(outcome, "r", "s", 60).startswith(told)
