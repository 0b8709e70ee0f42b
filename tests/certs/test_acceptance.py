"""What a client makes of a certificate, tried with real handshakes."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from apisnoop.errors import ApisnoopError
from apisnoop_certs.acceptance import refusal
from apisnoop_certs.leaf import Leaf
from apisnoop_certs.signing_request import alternative_names, subject
from tests.certs.made import AUTHORITY, NAMES, NOW, STRANGER, leaf_for

CLIENT_AUTH, SERVER_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


def by_hand(usage, start=NOW - timedelta(days=1), end=NOW + timedelta(days=1)):
    """Sign a leaf with another usage or validity."""
    leaf = leaf_for()
    ca = x509.load_pem_x509_certificate(AUTHORITY.certificate.encode())
    certificate = (
        x509.CertificateBuilder(ca.subject, subject(), leaf.certificate.public_key(), 7, start, end)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(alternative_names(NAMES), critical=False)
        .sign(serialization.load_pem_private_key(AUTHORITY.key.encode(), None), hashes.SHA256())
    )
    return Leaf(certificate.public_bytes(serialization.Encoding.PEM).decode(), leaf.key)


def test_a_good_certificate_is_accepted_for_every_name():
    """Names, IPv4 and IPv6 addresses; a stranger's authority beside ours does no harm."""
    assert refusal(leaf_for(), STRANGER.certificate + AUTHORITY.certificate, NAMES) is None


@pytest.mark.parametrize(
    ("leaf", "authorities", "name", "why"),
    [
        (leaf_for(), STRANGER.certificate, "kubernetes", "kubernetes: unable to get local issuer certificate"),
        (leaf_for(), AUTHORITY.certificate, "example.com", "example.com: Hostname mismatch"),
        (leaf_for(), AUTHORITY.certificate, "10.96.0.2", "10.96.0.2: IP address mismatch"),
        (
            by_hand(CLIENT_AUTH),
            AUTHORITY.certificate,
            "kubernetes",
            "unsuitable certificate purpose",
        ),
        (
            by_hand(SERVER_AUTH, end=NOW - timedelta(minutes=1)),
            AUTHORITY.certificate,
            "kubernetes",
            "certificate has expired",
        ),
        (
            by_hand(SERVER_AUTH, start=NOW + timedelta(hours=12)),
            AUTHORITY.certificate,
            "kubernetes",
            "certificate is not yet valid",
        ),
        (
            Leaf(leaf_for().chain, leaf_for().key),
            AUTHORITY.certificate,
            "kubernetes",
            "cannot be used: KEY_VALUES_MISMATCH",
        ),
        (Leaf("", leaf_for().key), AUTHORITY.certificate, "kubernetes", "cannot be used"),
    ],
    ids=["authority", "name", "address", "usage", "expired", "early", "key", "empty"],
)
def test_each_reason_to_refuse_is_named(leaf, authorities, name, why):
    """In OpenSSL's words, and for which name."""
    told = refusal(leaf, authorities, [name])
    assert told is not None
    assert why in told


def test_an_intermediate_authority_may_be_the_anchor():
    """As in Go: what pods trust need not be self-signed."""
    root = x509.load_pem_x509_certificate(STRANGER.certificate.encode())
    ours = x509.load_pem_x509_certificate(AUTHORITY.certificate.encode())
    builder = x509.CertificateBuilder(
        root.subject, ours.subject, ours.public_key(), 8, NOW - timedelta(days=1), NOW + timedelta(days=1)
    )
    for extension in ours.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    crossed = builder.sign(serialization.load_pem_private_key(STRANGER.key.encode(), None), hashes.SHA256())
    assert refusal(leaf_for(), crossed.public_bytes(serialization.Encoding.PEM).decode(), NAMES) is None


def test_trust_that_cannot_be_read_is_an_error():
    """It is the cluster's ConfigMap that is broken then, not our certificate."""
    with pytest.raises(ApisnoopError, match=r"what pods should trust cannot be read.*kubectl get cm kube-root-ca\.crt"):
        refusal(leaf_for(), "no PEM", NAMES)


def test_a_leaf_never_shows_its_key():
    """Not in a traceback, not in a log."""
    leaf = leaf_for()
    assert "PRIVATE" not in repr(leaf)
    assert "PRIVATE" not in repr(AUTHORITY)
