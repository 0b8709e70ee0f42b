"""The webhook's own certificate: an authority that only the webhook's configuration trusts, and a leaf that it signs.

Pure, but for the random keys: what is kept goes in, what is to be kept comes out. When an authority gets old, its
successor is trusted before it signs anything, and it is trusted for as long as it lives: at no moment does an API
server meet a leaf it cannot verify.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFETIME = timedelta(days=365)
LEAF_LIFETIME = timedelta(days=30)
SETTLE = timedelta(minutes=5)
"""How long a new authority is trusted before it signs: every API server must have heard of it."""
_SKEW = timedelta(minutes=5)
"""Clocks differ."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: str
    key: str = field(repr=False)

    @property
    def parsed(self) -> x509.Certificate:
        """The certificate. Raises ValueError if it is none."""
        return x509.load_pem_x509_certificate(self.certificate.encode())

    @property
    def usable(self) -> bool:
        """Whether certificate and key can be read and belong together."""
        certificate = _parse(self.certificate)
        try:
            return certificate is not None and certificate.public_key() == self.private_key.public_key()
        except (ValueError, TypeError):
            return False

    @property
    def private_key(self) -> ec.EllipticCurvePrivateKey:
        """The key. Raises ValueError if it is none of ours."""
        key = serialization.load_pem_private_key(self.key.encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("not an EC key")  # noqa: TRY004 - as a key that cannot be read
        return key


NOTHING = Pair("", "")


@dataclass(frozen=True, slots=True)
class Kept:
    """What the Secret holds. An empty pair is none yet."""

    authority: Pair
    leaf: Pair
    successor: Pair = NOTHING
    """The authority that will sign next; trusted already."""
    predecessor: str = ""
    """Certificate of the authority that signed before, for as long as it lives."""

    @classmethod
    def read(cls, data: Mapping[str, str]) -> Self | None:
        """Read a Secret's data, decoded; None where it holds no authority, or nothing that can be used."""
        authority, leaf, successor = (
            Pair(data.get(f"{name}.crt", ""), data.get(f"{name}.key", "")) for name in ("ca", "tls", "next-ca")
        )
        predecessor = data.get("previous-ca.crt", "")
        if not authority.usable or not all(pair.usable or pair == NOTHING for pair in (leaf, successor)):
            return None
        return cls(authority, leaf, successor, predecessor if _parse(predecessor) else "")

    def data(self) -> dict[str, str]:
        """Give the Secret's data. `tls.crt` and `tls.key` are called so in every Secret of that type."""
        return {
            "ca.crt": self.authority.certificate,
            "ca.key": self.authority.key,
            "tls.crt": self.leaf.certificate,
            "tls.key": self.leaf.key,
            "next-ca.crt": self.successor.certificate,
            "next-ca.key": self.successor.key,
            "previous-ca.crt": self.predecessor,
        }

    @property
    def trusted(self) -> str:
        """All authorities that the API server has to trust, PEM."""
        return f"{self.authority.certificate}{self.successor.certificate}{self.predecessor}"


def tend(kept: Kept | None, names: Sequence[str], now: datetime, published: str) -> Kept:
    """Take the next step, if one is due: returns `kept` itself if none is.

    `names` are the DNS names (or one IP address, for a webhook outside the cluster) that the leaf is for; `published`
    is what the webhook's configuration trusts at the moment.
    """
    if kept is None or now >= kept.authority.parsed.not_valid_after_utc:
        authority = _make_authority(now)
        return Kept(authority, _sign(authority, names, now))
    kept = _without_dead_predecessor(kept, now)
    if not kept.successor.certificate and now >= _two_thirds(kept.authority.parsed):
        return replace(kept, successor=_make_authority(now))
    if kept.successor.certificate and _has_settled(kept.successor, published, now):
        next_one = kept.successor
        leaf = _sign(next_one, names, now)
        return Kept(next_one, leaf, predecessor=kept.authority.certificate)
    if not _is_good(kept.leaf, kept.authority, names, now):
        return replace(kept, leaf=_sign(kept.authority, names, now))
    return kept


def _without_dead_predecessor(kept: Kept, now: datetime) -> Kept:
    predecessor = _parse(kept.predecessor)
    if predecessor is None or now < predecessor.not_valid_after_utc:
        return kept
    return replace(kept, predecessor="")


def _has_settled(successor: Pair, published: str, now: datetime) -> bool:
    made = successor.parsed.not_valid_before_utc + _SKEW
    return successor.certificate in published and now >= made + SETTLE


def _is_good(leaf: Pair, authority: Pair, names: Sequence[str], now: datetime) -> bool:
    if leaf == NOTHING or now >= _two_thirds(leaf.parsed):
        return False
    try:
        leaf.parsed.verify_directly_issued_by(authority.parsed)
    except Exception:  # whatever it says, this leaf is none that the authority signed
        return False
    return list(_alternative_names(names)) == list(
        leaf.parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    )


def _two_thirds(certificate: x509.Certificate) -> datetime:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return begin + (end - begin) * 2 / 3


def _make_authority(now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"apisnoop webhook {now:%Y-%m-%d}")
    builder = (
        _builder(name, name, key.public_key(), now, now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
    )
    return _pair(builder, key, key)


def _sign(authority: Pair, names: Sequence[str], now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.parsed
    end = min(now + LEAF_LIFETIME, issuer.not_valid_after_utc)
    builder = (
        _builder(_name("apisnoop-webhook"), issuer.subject, key.public_key(), now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_alternative_names(names)), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            ),
            critical=False,
        )
    )
    return _pair(builder, key, authority.private_key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - _SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _pair(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> Pair:
    certificate = builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Pair(certificate.decode(), encoded.decode())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative_names(names: Sequence[str]) -> list[x509.GeneralName]:
    return [_alternative_name(name) for name in names]


def _alternative_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _parse(pem: str) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None
