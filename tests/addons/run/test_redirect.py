"""The temporary kubeconfig."""

import base64
import sys

from apisnoop_addons.run.kubeconfig import Kubeconfig
from apisnoop_addons.run.redirect import Redirect, redirect
from apisnoop_addons.run.servers import server_of
from tests.addons.run.pki import Authority


def redirected(tmp_path, cluster, users=None):
    kubeconfig = Kubeconfig(
        {"c": cluster, "other": {"server": "s"}}, users or {}, {"x": {"cluster": "c"}}, "x", {"a": 1}
    )
    to = {"c": Redirect(server_of("c", cluster, {}), "127.0.0.1:4711")}
    return redirect(kubeconfig, to, b"authority", tmp_path)


def test_only_the_way_to_the_server_changes(tmp_path):
    """What is done upstream is gone, all else stays; clusters that are not listened for stay too."""
    cluster = {
        "server": "https://api.example.com/prefix/",
        "certificate-authority-data": base64.b64encode(Authority().pem).decode(),
        "tls-server-name": "n",
        "proxy-url": "http://p",
        "insecure-skip-tls-verify": True,
        "disable-compression": True,
        "extensions": [1],
    }
    result = redirected(tmp_path, cluster)
    assert result.clusters == {
        "c": {
            "server": "https://127.0.0.1:4711/prefix",
            "certificate-authority-data": base64.b64encode(b"authority").decode(),
            "disable-compression": True,
            "extensions": [1],
        },
        "other": {"server": "s"},
    }
    assert (result.contexts, result.current_context, result.other) == ({"x": {"cluster": "c"}}, "x", {"a": 1})


def test_a_plain_server_gets_a_plain_listener(tmp_path):
    """Without an authority, which would mean nothing."""
    assert redirected(tmp_path, {"server": "http://localhost:8001"}).clusters["c"] == {
        "server": "http://127.0.0.1:4711"
    }


def test_users_keep_their_credentials_and_plugins_are_wrapped(tmp_path):
    """Who the client is stays the client's."""
    users = {"token": {"token": "t", "as": "eve"}, "plugin": {"exec": {"command": "true"}}}
    result = redirected(tmp_path, {"server": "https://s"}, users)
    assert result.users["token"] == {"token": "t", "as": "eve"}
    assert result.users["plugin"]["exec"]["command"] == sys.executable
