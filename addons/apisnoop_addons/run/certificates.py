"""The throw-away authority of one run: a CA made in memory, one certificate for loopback signed by it, and no CA key.

The CA's key is forgotten as soon as the certificate is signed, so nobody can sign another with it, and the CA may name
nothing but loopback.
"""

import datetime
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from apisnoop_addons.engine.upstream import KeyPair

LOOPBACK = IPv4Address("127.0.0.1")
_LIFETIME = datetime.timedelta(days=365)
"""Longer than any run: a run that outlives its certificate would lose the cluster."""
_CLOCK_SKEW = datetime.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class LoopbackCertificate:
    """What a listener presents and what its clients trust."""

    authority: bytes
    """PEM of the CA certificate, for the clients' kubeconfig."""
    server: KeyPair
    """What the listener presents."""


def make_loopback_certificate() -> LoopbackCertificate:
    """Make an authority and the certificate for 127.0.0.1 and localhost; the authority's key is not kept."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key)
    certificate = _server_certificate(key, authority, authority_key)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return LoopbackCertificate(authority.public_bytes(pem), KeyPair(certificate.public_bytes(pem), private))


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("apisnoop run: authority of one run")
    constraints = x509.NameConstraints([x509.IPAddress(IPv4Network(LOOPBACK)), x509.DNSName("localhost")], None)
    return (
        _builder(name, name, key.public_key(), key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(constraints, critical=True)
        .sign(key, hashes.SHA256())
    )


def _server_certificate(
    key: ec.EllipticCurvePrivateKey, authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    names = x509.SubjectAlternativeName([x509.IPAddress(LOOPBACK), x509.DNSName("localhost")])
    return (
        _builder(_name("localhost"), authority.subject, key.public_key(), authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, issuer_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
