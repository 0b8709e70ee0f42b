"""The expressions of the policy against requests of every shape, without a cluster."""

import base64
import re
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apisnoop_certs.request_pattern import exact_pattern, subject_pattern
from apisnoop_certs.server_names import SERVICE_NAMES, ServerNames
from apisnoop_certs.signing_request import FENCE, FENCES, make_signing_request
from tests.certs.made import NAMES

DOMAIN = st.from_regex(r"[a-z]{1,40}(\.[a-z]{1,20}){0,3}", fullmatch=True)
EVERY = st.builds(
    lambda domain, extra, addresses: ServerNames(
        tuple(dict.fromkeys([*SERVICE_NAMES, f"{SERVICE_NAMES[-1]}.{domain}", *extra])), tuple(addresses)
    ),
    DOMAIN,
    st.lists(DOMAIN, max_size=12),
    st.lists(st.ip_addresses(), unique=True, min_size=1, max_size=12),
)


@settings(max_examples=40)
@given(EVERY, EVERY)
def test_requests_match_for_their_own_names_only(names, others):
    """Whatever the names, and so whatever the lengths and places of everything in the request."""
    request = make_signing_request(names).encoded
    assert re.fullmatch(exact_pattern(names), request)
    assert bool(re.fullmatch(exact_pattern(others), request)) == (names == others)


@settings(max_examples=20)
@given(EVERY)
def test_the_open_pattern_matches_whatever_the_names(names):
    """Only the subject and the kind of key are held."""
    assert re.fullmatch(subject_pattern(), make_signing_request(names).encoded)


def test_only_key_and_signature_are_open():
    """Of some 700 characters those that 64 and 71 bytes touch, and two line ends among them, are not fixed."""
    pattern = exact_pattern(NAMES)
    opened = sum(int(count) for count in re.findall(r"\{(\d+)\}", pattern))
    bits = (64 + 71) * 8
    # Six bits a character, twice.
    assert 0 <= opened - bits / 8 * 16 / 9 < 12


def test_the_pattern_needs_no_escaping():
    """It passes through JSON, CEL and YAML unharmed, and stays far below what a policy's expression may cost."""
    pattern = exact_pattern(NAMES)
    assert set(pattern) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=[]{}^$-")
    assert len(pattern) < 2000


@pytest.mark.parametrize("shift", range(3))
def test_a_second_block_cannot_go_unseen(shift):
    """Five dashes in a row hold an aligned group of three wherever they stand, so each fence is counted."""
    request = make_signing_request(NAMES)
    text = request.pem + "x" * shift + "-----BEGIN"
    assert request.encoded.count(FENCE) == FENCES
    assert base64.b64encode(text.encode()).decode().count(FENCE) == FENCES + 1


def test_the_order_of_addresses_matters():
    """A text is compared, so requests are made in the order in which the policy was."""
    turned = ServerNames(NAMES.names, tuple(reversed(NAMES.addresses)))
    assert not re.fullmatch(exact_pattern(turned), make_signing_request(NAMES).encoded)
    assert ip_address("10.96.0.1") in NAMES.addresses
