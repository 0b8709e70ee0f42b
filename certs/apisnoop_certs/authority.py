"""Our own certificate authority, for clusters that do not sign for us.

Its key is in one Secret that no node mounts. It is kept for years, since many clients read what they trust only once;
only the leaf changes. It may sign no other authority, and only for the cluster's own names and those asked for.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from apisnoop.errors import ApisnoopError
from apisnoop_certs.leaf import Leaf, key_pem
from apisnoop_certs.server_names import ServerNames
from apisnoop_certs.signing_request import alternative_names, subject

LIFETIME = timedelta(days=3650)
REMAINING = timedelta(days=365)
"""An authority with less to live is replaced: pods created now may run for long."""
SKEW = timedelta(minutes=5)
"""Clocks of nodes differ; kube-controller-manager dates back by as much."""
_NO_USAGE = {
    "content_commitment": False,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "encipher_only": False,
    "decipher_only": False,
}


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority's certificate and key, PEM."""

    certificate: str
    key: str = field(repr=False)


def make_authority(names: ServerNames, now: datetime) -> Authority:
    """Make an authority that may sign for `names` and, as addresses of an API server change, for any address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"apisnoop {now:%Y-%m-%d}")])
    permitted = x509.NameConstraints([x509.DNSName(dns) for dns in names.names], None)
    certificate = (
        _builder(name, name, key.public_key(), now, LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(permitted, critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate.public_bytes(serialization.Encoding.PEM).decode(), key_pem(key))


def sign_leaf(authority: Authority, names: ServerNames, lifetime: timedelta, now: datetime) -> Leaf:
    """Make a key and sign a server's certificate for it.

    Raises ApisnoopError when the authority is unreadable.
    """
    issuer, issuer_key = _load(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        _builder(subject(), issuer.subject, key.public_key(), now, lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .add_extension(alternative_names(names), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return Leaf(certificate.public_bytes(serialization.Encoding.PEM).decode(), key_pem(key))


def is_lasting(authority: Authority, now: datetime) -> bool:
    """Tell whether an authority lives long enough to be kept."""
    return _load(authority)[0].not_valid_after_utc - now > REMAINING


def _load(authority: Authority) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate(authority.certificate.encode())
        key = serialization.load_pem_private_key(authority.key.encode(), password=None)
    except (ValueError, TypeError):
        # Never the parser's words: they may quote what it could not parse.
        raise _unreadable() from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise _unreadable()
    return certificate, key


def _unreadable() -> ApisnoopError:
    return ApisnoopError(
        "the Secret of our authority does not hold one we made; empty its data, and a new authority is made"
    )


def _builder(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + lifetime)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        **_NO_USAGE,
    )
