"""When a certificate is replaced."""

from datetime import timedelta

from apisnoop_certs.renewal import renewal_time, why_renew
from tests.certs.made import AUTHORITY, NAMES, NOW, STRANGER, leaf_for

TRUSTED = AUTHORITY.certificate


def test_it_is_due_when_two_thirds_of_its_real_life_are_over():
    """Counted from the certificate's own dates, whatever was asked for."""
    leaf = leaf_for(lifetime=timedelta(days=6))
    due = renewal_time(leaf)
    assert timedelta(0) < NOW + timedelta(days=4) - due < timedelta(minutes=5)
    assert why_renew(leaf, TRUSTED, NAMES, due - timedelta(seconds=1)) is None
    assert str(why_renew(leaf, TRUSTED, NAMES, due)).startswith("two thirds of its lifetime are over, it ends 20")


def test_one_that_is_missing_is_due():
    """The first run of the CronJob may come before the Job."""
    assert why_renew(None, TRUSTED, NAMES, NOW) == "there is none yet"


def test_one_that_pods_no_longer_accept_is_due():
    """A new authority, or a new address of the API server."""
    assert "unable to get local issuer" in str(why_renew(leaf_for(), STRANGER.certificate, NAMES, NOW))
    assert "10.9.9.9: IP address mismatch" in str(why_renew(leaf_for(), TRUSTED, ["10.9.9.9"], NOW))
