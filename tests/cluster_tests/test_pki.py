"""Certificates: who they say a client is, and which servers they name."""

from __future__ import annotations

import datetime
import ssl
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.pki import Authority, KeyPair

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path)


def read(pair: KeyPair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def names(certificate: x509.Certificate, kind: x509.ObjectIdentifier) -> list[str | bytes]:
    return [attribute.value for attribute in certificate.subject.get_attributes_for_oid(kind)]


def test_a_clients_user_and_groups_are_where_kubernetes_reads_them(authority: Authority) -> None:
    """The user is the common name, each group an organisation; such a certificate is no server's."""
    certificate = read(authority.issue("jane", user="jane", groups=["dev", "ops"]))
    assert names(certificate, NameOID.COMMON_NAME) == ["jane"]
    assert names(certificate, NameOID.ORGANIZATION_NAME) == ["dev", "ops"]
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_servers_certificate_names_its_hosts(authority: Authority) -> None:
    """Names and addresses both are alternative names."""
    certificate = read(authority.issue("server", user="server", hosts=["localhost", IPv4Address("127.0.0.1")]))
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.DNSName) == ["localhost"]
    assert alternatives.get_values_for_type(x509.IPAddress) == [IPv4Address("127.0.0.1")]


def test_a_negative_lifetime_gives_an_expired_certificate(authority: Authority) -> None:
    """Tests of expiry need a certificate that was valid once."""
    certificate = read(authority.issue("old", user="old", lifetime=datetime.timedelta(days=-1)))
    assert certificate.not_valid_before_utc < certificate.not_valid_after_utc < datetime.datetime.now(datetime.UTC)


def test_a_loaded_authority_signs_like_the_one_that_was_created(authority: Authority, tmp_path: Path) -> None:
    """The files are all there is to an authority."""
    certificate = read(Authority.load(tmp_path).issue("late", user="late"))
    certificate.verify_directly_issued_by(read(authority.files))


def test_keys_are_readable_by_their_owner_only(authority: Authority) -> None:
    """Another user of the machine cannot become the cluster's administrator."""
    pair = authority.issue("jane", user="jane")
    assert [path.stat().st_mode & 0o777 for path in (pair.key, authority.files.key)] == [0o600, 0o600]


def test_strict_verification_accepts_the_chain(authority: Authority) -> None:
    """Python 3.13 verifies with VERIFY_X509_STRICT by default: key identifiers and usages have to be right."""
    pair = authority.issue("server", user="server", hosts=["localhost"])
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(pair.certificate, pair.key)
    client_side = ssl.create_default_context(cafile=str(authority.files.certificate))
    client_side.verify_flags |= ssl.VERIFY_X509_STRICT
    assert handshake(client_side, server_side, "localhost") == "TLSv1.3"


def handshake(client_context: ssl.SSLContext, server_context: ssl.SSLContext, host: str) -> str | None:
    """Let two ends shake hands through memory and return the protocol they agreed on."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    while waiting:
        end = waiting.pop(0)
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(end)
    return client.version()
