"""The settings of the node's proxy."""

from pathlib import Path

import pytest

from apisnoop.errors import UsageError
from apisnoop_addons.node.settings import Settings, settings_from


def test_nothing_needs_to_be_set():
    """Without a variable everything is as the chart has it; an empty one counts as not set."""
    assert settings_from({"APISNOOP_STORE": ""}) == Settings()


def test_what_is_set_counts():
    """Each variable sets its own value and leaves the others."""
    settings = settings_from(
        {
            "APISNOOP_AGENT_SOCKET": "/a.sock",
            "APISNOOP_TLS": "/tls",
            "APISNOOP_CA": "/ca.crt",
            "APISNOOP_STORE": "/calls.db",
            "APISNOOP_SERVER_NAME": "api.example",
            "APISNOOP_LISTEN": "[::1]:9",
            "APISNOOP_LIMIT_STREAMS": "7",
            "APISNOOP_RETENTION_DAYS": "30",
            "APISNOOP_STORE_BYTES": "1000000",
            "APISNOOP_UI_FEED": "/feed.sock",
            "APISNOOP_UI_BODIES": "true",
            "APISNOOP_UI_RATE": "9",
        }
    )
    assert (settings.agent_socket, settings.certificate, settings.authority, settings.store) == tuple(
        map(Path, ("/a.sock", "/tls", "/ca.crt", "/calls.db"))
    )
    assert (settings.server_name, settings.listen) == ("api.example", ("::1", 9))
    assert (settings.limits.streams, settings.limits.connections) == (7, Settings().limits.connections)
    assert (settings.retention_days, settings.store_bytes) == (30, 1_000_000)
    assert (settings.feed, settings.feed_bodies, settings.feed_rate) == (Path("/feed.sock"), True, 9)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("APISNOOP_LISTEN", "0.0.0.0:15021"),
        ("APISNOOP_LISTEN", "127.0.0.1"),
        ("APISNOOP_LISTEN", "127.0.0.1:70000"),
        ("APISNOOP_LIMIT_CONNECTIONS", "many"),
        ("APISNOOP_LIMIT_HANDSHAKES", "0"),
        ("APISNOOP_LIMIT_BUFFERED", "-1"),
        ("APISNOOP_UI_BODIES", "yes"),
        ("APISNOOP_UI_RATE", "0"),
        ("APISNOOP_RETENTION_DAYS", "0"),
    ],
)
def test_a_value_that_cannot_be_is_named(variable, value):
    """The error has the variable and the value; nothing but loopback can be listened on."""
    with pytest.raises(UsageError, match=f"{variable}={value}".replace(".", r"\.")):
        settings_from({variable: value})
