"""The throw-away certificate of a run."""

import socket
import ssl
import threading

import pytest
from cryptography import x509

from apisnoop_addons.run.certificates import make_loopback_certificate


@pytest.fixture(scope="module")
def made():
    return make_loopback_certificate()


def handshake(made, tmp_path, name: str) -> None:
    """Connect a client that trusts the authority and asks for `name` to a server with the certificate."""
    (tmp_path / "pem").write_bytes(made.server.key + made.server.certificate)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "pem")
    trusting = ssl.create_default_context(cadata=made.authority.decode())
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            serving.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    server = threading.Thread(target=serve)
    server.start()
    try:
        trusting.wrap_socket(ours, server_hostname=name).close()
    finally:
        ours.close()
        server.join()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_clients_that_trust_the_authority_accept_the_listener(made, tmp_path, name):
    """By address and by name, with OpenSSL's full verification."""
    handshake(made, tmp_path, name)


def test_nothing_but_loopback_is_accepted(made, tmp_path):
    """A name that is not loopback is refused."""
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(made, tmp_path, "kubernetes.default.svc")


def test_the_authority_may_only_speak_for_loopback(made):
    """Even with its key nobody could make a certificate for another name that these clients accept."""
    authority = x509.load_pem_x509_certificate(made.authority)
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.excluded_subtrees is None
    assert {str(name.value) for name in constraints.value.permitted_subtrees or []} == {"127.0.0.1/32", "localhost"}


def test_each_run_has_an_authority_of_its_own(made):
    """Nothing is kept from run to run."""
    assert make_loopback_certificate().authority != made.authority


def test_the_key_is_not_shown_by_accident(made):
    """Neither a log line nor a traceback that names the value holds the key."""
    assert "PRIVATE" not in repr(made)
