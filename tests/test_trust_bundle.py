"""Merging what a pod shall trust."""

import pytest

from apisnoop.errors import ApisnoopError
from apisnoop.trust_bundle import merge_authorities

ONE = "-----BEGIN CERTIFICATE-----\nTUlJ\n-----END CERTIFICATE-----\n"
TWO = "-----BEGIN CERTIFICATE-----\nT1RI\n-----END CERTIFICATE-----\n"


def test_bundles_are_joined_in_order():
    """The cluster's own authorities stay in front."""
    assert merge_authorities(ONE, TWO) == ONE + TWO


def test_the_same_certificate_is_kept_once_however_it_is_written():
    """Line ends, line lengths, comments and repetitions make no difference, so that texts can be compared."""
    written = "# the cluster's\r\n" + ONE.replace("\n", "\r\n") + "\n" + ONE.replace("TUlJ", "TU\nlJ")
    assert merge_authorities(written, ONE) == ONE


def test_long_certificates_are_written_in_lines_of_64():
    """As OpenSSL writes them."""
    long = f"-----BEGIN CERTIFICATE-----\n{'A' * 130}\n-----END CERTIFICATE-----"
    assert [len(line) for line in merge_authorities(long).splitlines()[1:-1]] == [64, 64, 2]


@pytest.mark.parametrize("bundle", ["", "no PEM", ONE.replace("END", "FIN")])
def test_a_bundle_without_a_certificate_is_refused(bundle):
    """It would leave pods with one authority less than they should have."""
    with pytest.raises(ApisnoopError, match="holds no certificate"):
        merge_authorities(ONE, bundle)


def test_a_key_is_refused_and_not_quoted():
    """What is written into a ConfigMap must not hold one."""
    with pytest.raises(ApisnoopError, match="holds a PRIVATE KEY; only certificates") as caught:
        merge_authorities(ONE + "-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE KEY-----\n")
    assert "U0VDUkVU" not in str(caught.value)
