"""The certificate signing request: a fresh key, the subject and usages the kubelet-serving signer insists on.

Its bytes have a fixed shape: for the same names only the 64 bytes of the public key and the 71 of the signature differ
from request to request. An admission policy cannot parse X.509 but can compare text, and so can tie even subject and
alternative names (`request_pattern`).
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from apisnoop.fleet.objects import CERTS, COMPONENT, NAME
from apisnoop.fleet.wishes import OURS
from apisnoop_certs.leaf import key_pem
from apisnoop_certs.server_names import ServerNames

ORGANIZATION = "system:nodes"
COMMON_NAME = "system:node:apisnoop"
USAGES = ("digital signature", "server auth")
LABELS = {NAME: OURS, COMPONENT: CERTS}
SIGNATURE_LENGTH = 71
"""Bytes of half of all ECDSA P-256 signatures; others are 70 or 72 and rarely shorter."""
FENCE = "LS0t"
"""Base64 of "---". For each five dashes in a row the base64 of a text holds it once; for a PEM block, four times."""
FENCES = 4


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """A request in PEM and the key it is for."""

    pem: str
    key: str = field(repr=False)

    @property
    def encoded(self) -> str:
        """As it stands in the object's spec.request."""
        return base64.b64encode(self.pem.encode()).decode()


def make_signing_request(names: ServerNames) -> SigningRequest:
    """Make a P-256 key and have it sign a request for `names`, in the fixed shape."""
    while True:
        key = ec.generate_private_key(ec.SECP256R1())
        signed = _builder(names).sign(key, hashes.SHA256())
        request = SigningRequest(signed.public_bytes(serialization.Encoding.PEM).decode(), key_pem(key))
        if len(signed.signature) == SIGNATURE_LENGTH and request.encoded.count(FENCE) == FENCES:
            return request


def request_object(name: str, request: SigningRequest, signer: str, lifetime: timedelta) -> Mapping[str, Any]:
    """Render the CertificateSigningRequest of that name."""
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name, "labels": LABELS},
        "spec": {
            "request": request.encoded,
            "signerName": signer,
            "expirationSeconds": int(lifetime.total_seconds()),
            "usages": list(USAGES),
        },
    }


def is_ours(request: Mapping[str, Any]) -> bool:
    """Tell whether a CertificateSigningRequest carries our labels."""
    return LABELS.items() <= (request["metadata"].get("labels") or {}).items()


def alternative_names(names: ServerNames) -> x509.SubjectAlternativeName:
    """Encode the names, DNS first."""
    addresses = [x509.IPAddress(address) for address in names.addresses]
    return x509.SubjectAlternativeName([*map(x509.DNSName, names.names), *addresses])


def subject() -> x509.Name:
    """Give the subject that the kubelet-serving signer asks for; clients of a TLS server do not look at it."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME),
        ]
    )


def _builder(names: ServerNames) -> x509.CertificateSigningRequestBuilder:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject())
    return builder.add_extension(alternative_names(names), critical=False)
