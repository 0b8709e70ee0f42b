"""Finding the key of a certificate that a client shows."""

import base64

import pytest
from cryptography import x509

from apisnoop_addons.engine.upstream import KeyPair
from apisnoop_addons.run.credentials import ClientCertificates, fingerprint
from tests.addons.run.pki import Authority, Issued


@pytest.fixture(scope="module")
def ann() -> Issued:
    return Authority().issue("ann")


@pytest.fixture(scope="module")
def bob() -> Issued:
    return Authority().issue("bob")


def shown(issued: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate)


def with_data(issued: Issued) -> dict[str, str]:
    return {
        "client-certificate-data": base64.b64encode(issued.certificate).decode(),
        "client-key-data": base64.b64encode(issued.key).decode(),
    }


def test_a_certificate_in_the_kubeconfig_is_found(ann, bob, tmp_path):
    """Each client gets the key of the certificate it showed, whichever users there are."""
    certificates = ClientCertificates({"ann": with_data(ann), "bob": with_data(bob), "carl": {"token": "t"}}, tmp_path)
    assert certificates.find(shown(bob)) == KeyPair(bob.certificate, bob.key)
    assert certificates.find(shown(ann)) == KeyPair(ann.certificate, ann.key)


def test_a_certificate_of_nobody_is_not_found(ann, bob, tmp_path):
    """Who shows a certificate that is not in the kubeconfig gets no other one."""
    assert ClientCertificates({"ann": with_data(ann)}, tmp_path).find(shown(bob)) is None


def test_certificates_in_files_are_read_again_when_they_were_renewed(ann, bob, tmp_path):
    """A certificate that replaced the first one on disk during the run is found."""
    certificate, key = tmp_path / "crt", tmp_path / "key"
    certificate.write_bytes(ann.certificate)
    key.write_bytes(ann.key)
    user = {"client-certificate": str(certificate), "client-key": str(key)}
    certificates = ClientCertificates({"u": user}, tmp_path)
    assert certificates.find(shown(ann)) == KeyPair(ann.certificate, ann.key)
    certificate.write_bytes(bob.certificate)
    key.write_bytes(bob.key)
    assert certificates.find(shown(bob)) == KeyPair(bob.certificate, bob.key)


@pytest.mark.parametrize(
    "broken",
    [
        {"client-certificate-data": "%%%", "client-key-data": "%%%"},
        {"client-certificate-data": "aGk=", "client-key-data": "aGk="},
        {"client-certificate": "/nowhere", "client-key": "/nowhere"},
        {"client-certificate-data": ""},
    ],
)
def test_a_user_that_cannot_be_read_does_not_hide_the_others(ann, broken, tmp_path):
    """The client itself says what is wrong with its own user."""
    users = {"broken": broken, "ann": with_data(ann)}
    assert ClientCertificates(users, tmp_path).find(shown(ann)) == KeyPair(ann.certificate, ann.key)


def test_a_certificate_that_a_plugin_returned_is_found(ann, tmp_path):
    """The wrapper leaves it in the folder under its fingerprint, while the run goes on."""
    certificates = ClientCertificates({}, tmp_path)
    assert certificates.find(shown(ann)) is None
    (tmp_path / f"{fingerprint(shown(ann))}.key").write_bytes(ann.key)
    (tmp_path / f"{fingerprint(shown(ann))}.crt").write_bytes(ann.certificate)
    assert certificates.find(shown(ann)) == KeyPair(ann.certificate, ann.key)
