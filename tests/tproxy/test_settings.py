"""Settings of the agent."""

import re
from pathlib import Path

import pytest

from apisnoop.errors import UsageError
from apisnoop_tproxy.settings import Interception, Settings, read_settings

README = Path(__file__).parents[2] / "tproxy" / "README.md"


EVERY = {
    "NODE_NAME": "n",
    "POD_NAMESPACE": "ns",
    "POD_NAME": "p",
    "APISNOOP_AGENT_SOCKET": "/s",
    "APISNOOP_TLS": "/t",
    "APISNOOP_PROXY_UID": "7",
    "APISNOOP_LEASE": "3.5",
    "APISNOOP_LONGEST": "60",
    "APISNOOP_EXTRA_DESTINATIONS": "10.0.0.1:443, [fd00::1]:6443",
    "APISNOOP_KUBELET": "/k",
    "APISNOOP_CNI": "/c",
    "APISNOOP_LISTEN": "127.0.0.1:8",
    "APISNOOP_METRICS": "true",
    "APISNOOP_METRICS_LISTEN": "[::]:9",
    "APISNOOP_INTERCEPTION": "init",
}


def test_the_defaults_are_those_of_the_type():
    """With nothing but the node's name, everything is as documented."""
    assert read_settings({"NODE_NAME": "node1"}) == Settings("node1")


def test_every_setting_is_read():
    """Each variable changes what it names."""
    assert read_settings({**EVERY, "KUBERNETES_SERVICE_HOST": "fd00::1"}) == Settings(
        node="n",
        namespace="ns",
        pod="p",
        socket=Path("/s"),
        certificate=Path("/t/tls.crt"),
        proxy_uid=7,
        lease=3.5,
        longest=60,
        extra_destinations=(("10.0.0.1", 443), ("fd00::1", 6443)),
        kubelet=Path("/k"),
        cni=Path("/c"),
        listen=("127.0.0.1", 8),
        metrics=True,
        metrics_listen=("::", 9),
        interception=Interception.INIT,
        server=("fd00::1", 443),
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NODE_NAME", ""),
        ("APISNOOP_LEASE", "1"),
        ("APISNOOP_LEASE", "five"),
        ("APISNOOP_LONGEST", "nan"),
        ("APISNOOP_EXTRA_DESTINATIONS", "api.example.org:443"),
        ("APISNOOP_EXTRA_DESTINATIONS", "10.0.0.1"),
        ("APISNOOP_EXTRA_DESTINATIONS", "10.0.0.1:70000"),
        ("APISNOOP_LISTEN", "10.0.0.1:80"),
        ("APISNOOP_METRICS", "yes"),
        ("APISNOOP_INTERCEPTION", "none"),
    ],
)
def test_a_bad_value_is_named(variable, value):
    """Whoever mistypes a setting reads its name."""
    with pytest.raises(UsageError, match=variable):
        read_settings({"NODE_NAME": "n", variable: value})


def test_every_setting_is_documented():
    """The component's README names each variable, and no other of ours."""
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", README.read_text(), re.MULTILINE))
    assert documented == set(EVERY)
