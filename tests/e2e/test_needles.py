"""A search that finds nothing must be able to find something."""

from __future__ import annotations

import base64
import json

import pytest

from e2e.needles import found_in

SECRET = "Pl4nted/secret?with+all&signs~ü"


def encoded(before: bytes) -> bytes:
    return base64.b64encode(before + SECRET.encode() + b" and more")


@pytest.mark.parametrize(
    "haystack",
    [
        SECRET.encode(),
        json.dumps({"a": [SECRET]}).encode(),
        b"GET /x?q=Pl4nted%2Fsecret%3Fwith%2Ball%26signs~%C3%BC HTTP/1.1",
        SECRET.encode().hex().encode(),
        encoded(b""),
        encoded(b"x"),
        encoded(b"xy"),
        encoded(b"xyz"),
        base64.urlsafe_b64encode(b"x" + SECRET.encode()),
        base64.b64encode(b'{"data":"' + base64.b64encode(SECRET.encode()) + b'"}'),
    ],
    ids=["plain", "JSON", "URL", "hex", "base64", "base64+1", "base64+2", "base64+3", "base64url", "twice"],
)
def test_a_secret_is_found_in_every_form(haystack):
    """However it is written, in the middle of something else."""
    assert found_in(b"before\0" + haystack + b"\nafter", SECRET)


def test_nothing_is_found_where_nothing_is():
    """Parts of the secret are not the secret."""
    assert found_in(SECRET.encode()[1:] + encoded(b"")[10:] + b"secret", SECRET) == []
