"""The ValidatingAdmissionPolicy that lets our Job ask for, and approve, nothing but our own certificate.

The right to approve for kubelet-serving gives its holder a certificate of the cluster's authority for any name. RBAC
cannot narrow that; this can, in the API server. It binds one service account, the Job's, and nobody else's requests.
Pure. The chart renders the same; this one is for those who apply it themselves.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from apisnoop_certs.request_pattern import exact_pattern, subject_pattern
from apisnoop_certs.server_names import ServerNames
from apisnoop_certs.signing_request import FENCE, FENCES, LABELS, USAGES

_API = "admissionregistration.k8s.io/v1"
_RESOURCE = "certificatesigningrequests"


@dataclass(frozen=True, slots=True)
class Tie:
    """What the Job's requests are tied to."""

    requester: str
    """User name of the Job: system:serviceaccount:NAMESPACE:NAME."""
    requests: Sequence[str]
    """Names its requests may have."""
    signers: Sequence[str]
    lifetime: timedelta
    names: ServerNames | None = None
    """The alternative names, all of them; None leaves them open, which is for clusters whose addresses change."""


def policy_objects(name: str, tie: Tie) -> list[Mapping[str, Any]]:
    """Render the policy and its binding, both called `name`."""
    rule = {"apiGroups": ["certificates.k8s.io"], "apiVersions": ["*"]}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {**rule, "operations": ["CREATE", "UPDATE"], "resources": [_RESOURCE, f"{_RESOURCE}/*"]},
            ],
        },
        "matchConditions": [
            {"name": "is-the-certificate-job", "expression": f"request.userInfo.username == {_quoted(tie.requester)}"}
        ],
        "validations": [{"expression": expression, "message": message} for expression, message in _validations(tie)],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    return [
        _object("ValidatingAdmissionPolicy", name, spec),
        _object("ValidatingAdmissionPolicyBinding", name, binding),
    ]


def _validations(tie: Tie) -> list[tuple[str, str]]:
    """List what must hold of a request when it is made, and once more when it is approved, with what to say if not."""
    seconds = int(tie.lifetime.total_seconds())
    return [
        (
            f"object.spec.username == {_quoted(tie.requester)}",
            "apisnoop-certs may approve only what it has requested itself",
        ),
        (
            f"object.metadata.name in {_quoted(list(tie.requests))}",
            f"apisnoop-certs calls its requests {' or '.join(tie.requests)}",
        ),
        (
            f"object.spec.signerName in {_quoted(list(tie.signers))}",
            f"apisnoop-certs may ask {' or '.join(tie.signers)} only",
        ),
        (
            f"has(object.spec.expirationSeconds) && object.spec.expirationSeconds <= {seconds}",
            f"apisnoop-certs may ask for at most {seconds} seconds",
        ),
        (
            f"object.spec.usages.all(usage, usage in {_quoted(list(USAGES))})",
            f"apisnoop-certs may ask for {' and '.join(USAGES)} only",
        ),
        _contents(tie.names),
    ]


def _contents(names: ServerNames | None) -> tuple[str, str]:
    """Say what must hold of the request's bytes."""
    pattern = exact_pattern(names) if names else subject_pattern()
    what = "subject, alternative names and key" if names else "subject and key"
    one_block = f"object.spec.request.split({_quoted(FENCE)}).size() == {FENCES + 1}"
    message = (
        f"the request's {what} are not what this policy was made for; if names or addresses of the API server have "
        "changed, an administrator makes it anew: kubectl apisnoop install"
    )
    return f"object.spec.request.matches({_quoted(pattern)}) && {one_block}", message


def _object(kind: str, name: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"apiVersion": _API, "kind": kind, "metadata": {"name": name, "labels": LABELS}, "spec": spec}


def _quoted(value: str | list[str]) -> str:
    """Write a string or a list of them as CEL, which for these reads like JSON."""
    return json.dumps(value)
