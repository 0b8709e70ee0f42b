"""Asking a cluster for its version."""

import base64

import pytest

from apisnoop_addons.run.server_version import ask_version, authorization
from tests.addons.run.fake_server import fake_server
from tests.addons.run.pki import Authority


def test_the_version_is_what_the_server_says(tmp_path):
    """With the user's token, behind the cluster's prefix."""
    authority = Authority()
    with fake_server(tmp_path, authority.issue("s", hosts=("127.0.0.1",))) as server:
        assert ask_version(f"127.0.0.1:{server.port}", "/p", {"token": "t"}, authority.pem) == "v1.34.2"
        assert [(seen.path, seen.headers["authorization"]) for seen in server.seen] == [("/p/version", "Bearer t")]


def test_a_plain_listener_is_asked_in_plain_text(tmp_path):
    """For http:// clusters."""
    with fake_server(tmp_path, None) as server:
        assert ask_version(f"127.0.0.1:{server.port}", "", {}, None) == "v1.34.2"


def test_a_server_that_cannot_be_asked_has_no_version(tmp_path):
    """Not there, not trusted, or a login that is no header."""
    assert ask_version("127.0.0.1:1", "", {}, None) == ""
    with fake_server(tmp_path, Authority().issue("s", hosts=("127.0.0.1",))) as server:
        assert ask_version(f"127.0.0.1:{server.port}", "", {}, Authority().pem) == ""
    with fake_server(tmp_path, None) as server:
        assert ask_version(f"127.0.0.1:{server.port}", "", {"token": "a\nb"}, None) == ""


@pytest.mark.parametrize(
    ("user", "headers"),
    [
        ({}, {}),
        ({"token": "t"}, {"Authorization": "Bearer t"}),
        ({"tokenFile": "token", "token": "t"}, {"Authorization": "Bearer from file"}),
        ({"tokenFile": "/nowhere"}, {}),
        ({"username": "a", "password": "b"}, {"Authorization": f"Basic {base64.b64encode(b'a:b').decode()}"}),
        ({"exec": {"command": "x"}}, {}),
    ],
)
def test_what_a_user_is_asked_with(user, headers, tmp_path):
    """Tokens and passwords; a plugin is not run."""
    (tmp_path / "token").write_text("from file\n")
    if user.get("tokenFile") == "token":
        user = {**user, "tokenFile": str(tmp_path / "token")}
    assert authorization(user) == headers
