"""Certificates of a throw-away cluster: one authority, and whatever it is asked to sign.

Elliptic curves where Kubernetes allows them, because they take a millisecond; RSA for the service account key, because
that is what clusters in the field have and what their tokens look like.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LIFETIME = datetime.timedelta(days=30)
CLOCK_SKEW = datetime.timedelta(hours=1)

_KEY_USAGE = {
    "content_commitment": False,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "encipher_only": False,
    "decipher_only": False,
}


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, as PEM files; the key is readable by its owner only."""

    certificate: Path
    key: Path

    @classmethod
    def named(cls, directory: Path, name: str) -> KeyPair:
        """Return the files that `Authority.issue` writes for `name`."""
        return cls(directory / f"{name}.crt", directory / f"{name}.key")


class Authority:
    """A certificate authority whose files live in one folder (`ca.crt`, `ca.key`)."""

    def __init__(self, directory: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.directory = directory
        self._certificate = certificate
        self._key = key

    @property
    def files(self) -> KeyPair:
        return KeyPair.named(self.directory, "ca")

    @classmethod
    def create(cls, directory: Path, name: str = "kubernetes") -> Authority:
        """Make a new authority in `directory`, which must exist."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            _builder(subject, subject, key.public_key(), LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **_KEY_USAGE), critical=True
            )
        )
        authority = cls(directory, builder.sign(key, hashes.SHA256()), key)
        _write(authority.files, authority._certificate, key)
        return authority

    @classmethod
    def load(cls, directory: Path) -> Authority:
        """Open the authority that `create` made in `directory`."""
        certificate = x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes())
        key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(directory, certificate, key)

    def issue(
        self,
        file_name: str,
        *,
        user: str,
        groups: Sequence[str] = (),
        hosts: Sequence[str | IPv4Address] = (),
        lifetime: datetime.timedelta = LIFETIME,
        directory: Path | None = None,
    ) -> KeyPair:
        """Sign a certificate and write `file_name`.crt and .key into `directory`, else beside the authority's own.

        `user` becomes the common name and `groups` the organisations, which is how Kubernetes reads a client; with
        `hosts` (names and addresses) it is a server's certificate too. A negative `lifetime` gives an expired one.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
            + [x509.NameAttribute(NameOID.COMMON_NAME, user)]
        )
        builder = _builder(subject, self._certificate.subject, key.public_key(), lifetime)
        for extension, critical in _leaf_extensions(hosts, self._key.public_key()):
            builder = builder.add_extension(extension, critical=critical)
        pair = KeyPair.named(directory or self.directory, file_name)
        _write(pair, builder.sign(self._key, hashes.SHA256()), key)
        return pair


def write_service_account_key(path: Path) -> None:
    """Make the key that signs service account tokens."""
    _write_key(path, rsa.generate_private_key(public_exponent=65537, key_size=2048))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: datetime.timedelta
) -> x509.CertificateBuilder:
    end = datetime.datetime.now(datetime.UTC) + lifetime
    start = min(datetime.datetime.now(datetime.UTC), end) - CLOCK_SKEW
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _leaf_extensions(
    hosts: Sequence[str | IPv4Address], issuer: ec.EllipticCurvePublicKey
) -> list[tuple[x509.ExtensionType, bool]]:
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH] + ([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.KeyUsage(digital_signature=True, key_cert_sign=False, crl_sign=False, **_KEY_USAGE), True),
        (x509.ExtendedKeyUsage(usages), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), False),
    ]
    if hosts:
        extensions.append((x509.SubjectAlternativeName([_general_name(host) for host in hosts]), False))
    return extensions


def _general_name(host: str | IPv4Address) -> x509.GeneralName:
    return x509.IPAddress(host) if isinstance(host, IPv4Address) else x509.DNSName(host)


def _write(pair: KeyPair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    _write_key(pair.key, key)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
