"""What a token says of its bearer, and that nothing else is believed to be one."""

import base64
import json
from typing import Any

import pytest

from apisnoop_addons.claims import LONGEST, NO_CLAIMS, Claims, parse_claims

ACCOUNT = "system:serviceaccount:shop:web"
BOUND = {
    "sub": ACCOUNT,
    "kubernetes.io": {
        "namespace": "shop",
        "node": {"name": "node-1", "uid": "n"},
        "pod": {"name": "web-1", "uid": "p"},
        "serviceaccount": {"name": "web", "uid": "s"},
        "warnafter": 1700000000,
    },
}


def token(payload: Any, *, header: str = "e30", signature: str = "c2ln") -> str:
    """Make a token of a payload, or of the text of its middle part."""
    middle = payload if isinstance(payload, str) else json.dumps(payload)
    return f"{header}.{base64.urlsafe_b64encode(middle.encode()).decode().rstrip('=')}.{signature}"


def test_a_bound_token_names_account_pod_and_node():
    """As the API server issues them to pods since 1.32."""
    assert parse_claims(f"Bearer {token(BOUND)}") == Claims(ACCOUNT, "web-1", "p", "node-1")


@pytest.mark.parametrize("private", [{}, {"kubernetes.io": {}}, {"kubernetes.io": {"pod": None, "node": None}}])
def test_a_token_that_is_bound_to_nothing_names_its_account(private):
    """Those that `kubectl create token` makes, and the old ones in Secrets."""
    assert parse_claims(f"Bearer {token({'sub': ACCOUNT, **private})}") == Claims(ACCOUNT)


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_the_scheme_is_taken_as_the_server_takes_it(scheme):
    """In any case, and with spaces after it."""
    assert parse_claims(scheme + token(BOUND)).user == ACCOUNT


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer opaque",
        "Bearer a.b",
        "Bearer a.b.c.d",
        f"Basic {token(BOUND)}",
        f"Bearer {token('not JSON')}",
        f"Bearer {token('[]')}",
        pytest.param(f"Bearer {token('{"x":' + '[' * 12_000)}", id="nested too deeply"),
        f"Bearer {token({'sub': 7})}",
        f"Bearer {token({'sub': ACCOUNT, 'kubernetes.io': 'x'})}",
        f"Bearer {token({'sub': 'ann'})}",
        f"Bearer {token({'sub': 'system:node:node-1'})}",
        "Bearer e30.\N{SNOWMAN}.c2ln",
        "Bearer e30.A.c2ln",
    ],
)
def test_what_is_no_service_accounts_token_says_nothing(authorization):
    """Tokens of people are the business of whoever issues them; damaged ones are nobody's."""
    assert parse_claims(authorization) == NO_CLAIMS


def test_of_an_endless_header_only_the_beginning_is_looked_at():
    """Nobody can make us decode megabytes."""
    long = {**BOUND, "padding": "x" * LONGEST}
    assert parse_claims(f"Bearer {token(long)}") == NO_CLAIMS
