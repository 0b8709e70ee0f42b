"""Our own authority and what it signs."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from apisnoop.errors import ApisnoopError
from apisnoop_certs.acceptance import refusal
from apisnoop_certs.authority import LIFETIME, is_lasting, sign_leaf
from apisnoop_certs.server_names import ServerNames
from tests.certs.made import AUTHORITY, NAMES, NOW, STRANGER, WEEK, leaf_for


def test_a_leaf_is_a_servers_certificate_for_the_asked_time():
    """No authority, server-auth only, and dated back a little for clocks that are late."""
    leaf = leaf_for()
    extensions = leaf.certificate.extensions
    assert leaf.not_after == NOW + WEEK
    assert timedelta(0) < NOW - leaf.not_before <= timedelta(minutes=5)
    assert extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_the_authority_signs_for_no_other_name():
    """What a thief of its key could do with it is bounded: clients refuse other names, and authorities below it."""
    other = ServerNames(("example.com",), ())
    assert "permitted subtree violation" in str(refusal(leaf_for(other), AUTHORITY.certificate, other))
    certificate = x509.load_pem_x509_certificate(AUTHORITY.certificate.encode())
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_it_is_kept_while_it_lives_for_a_year_more():
    """Pods created now trust what they find now."""
    end = NOW + LIFETIME
    assert is_lasting(AUTHORITY, end - timedelta(days=366))
    assert not is_lasting(AUTHORITY, end - timedelta(days=364))


@pytest.mark.parametrize(
    "broken",
    [
        replace(AUTHORITY, key="SECRET"),
        replace(AUTHORITY, certificate="none"),
        replace(AUTHORITY, key=STRANGER.key),
    ],
    ids=["key", "certificate", "pair"],
)
def test_one_that_is_not_ours_is_refused_without_quoting_it(broken):
    """A Secret edited by hand."""
    with pytest.raises(ApisnoopError, match="does not hold one we made") as caught:
        sign_leaf(broken, NAMES, WEEK, NOW)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
