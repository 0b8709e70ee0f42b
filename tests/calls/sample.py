"""Audit events as the API server writes them, made for a test: it names what matters, the rest has defaults."""

import json
from collections.abc import Iterable
from typing import Any

from apisnoop.operations.source import load_catalogue

CATALOGUE = load_catalogue("1.36")
POD_CLAIMS = {
    "authentication.kubernetes.io/credential-id": ["JTI=0b7ad0f9-6a6f-4a3f-8c07-3e1c6b1e8a11"],
    "authentication.kubernetes.io/node-name": ["node-1"],
    "authentication.kubernetes.io/node-uid": ["77d3c2a0-55a5-4a77-8d4e-0a45d5c0f9b2"],
    "authentication.kubernetes.io/pod-name": ["web-7d4b9-x2x4p"],
    "authentication.kubernetes.io/pod-uid": ["6f1c0a5e-9a39-4f0e-8a51-3a0a7f0a9d11"],
}


def event(number: int = 0, **changes: Any) -> dict[str, Any]:
    """One event; `number` makes its audit id and its second, `changes` replace or (None) remove fields."""
    made = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"00000000-0000-4000-8000-{number:012d}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods/web-1",
        "verb": "get",
        "user": {
            "username": "system:serviceaccount:shop:web",
            "uid": "e0a5",
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "extra": POD_CLAIMS,
        },
        "sourceIPs": ["10.244.0.7"],
        "userAgent": "kubectl/v1.36.3 (linux/amd64) kubernetes/aecb14a",
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web-1", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": moment(number),
        "stageTimestamp": moment(number, "250000"),
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
    }
    made |= changes
    return {name: value for name, value in made.items() if value is not None}


def moment(number: int, fraction: str = "000000") -> str:
    """The `number`-th second after 2026-06-01 09:00:00 UTC."""
    return f"2026-06-01T{9 + number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}.{fraction}Z"


def line(number: int = 0, **changes: Any) -> bytes:
    """One event as a line of a log."""
    return json.dumps(event(number, **changes), separators=(",", ":")).encode() + b"\n"


def log(numbers: Iterable[int], **changes: Any) -> bytes:
    """Many events as a log."""
    return b"".join(line(number, **changes) for number in numbers)
