"""Mode init: a pod's own rule, without agent and leases."""

import ctypes
from pathlib import Path

import pytest
from click.testing import CliRunner

from apisnoop.errors import ApisnoopError, UsageError
from apisnoop_tproxy import main
from apisnoop_tproxy.redirection import redirect, render_redirection
from tests.tproxy.podlike import API, API6

GOLDENS = Path(__file__).parent / "goldens"
POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.mark.parametrize(
    ("family", "proxy", "destinations"),
    [
        ("ipv4", ("10.89.0.11", 15443), [("10.96.0.1", 443), ("10.89.0.1", 6443)]),
        ("ipv6", ("fd00:89::11", 15443), [("fd00:10:96::1", 443)]),
    ],
)
def test_the_rule_of_each_family(family, proxy, destinations, request):
    """The table is what the golden file shows."""
    text = render_redirection(proxy, destinations)
    golden = GOLDENS / f"init-{family}.nft"
    if request.config.getoption("--regenerate"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize(
    ("server", "host", "environment"),
    [(API, "10.201.1.7", POD), (API6, "::1", {"KUBERNETES_SERVICE_HOST": API6[0]})],
)
def test_connections_go_to_the_proxy(podlike, server, host, environment):
    """Redirected, a connection to the API's address arrives at the proxy's, once and also the second time."""
    proxy = podlike.server((host, 0))
    port = proxy.getsockname()[1]
    written = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    podlike.server(server)
    for _ in range(2):
        said = podlike.run(lambda: redirect(written, (), environment))
        assert said.endswith(f"go to {written}")
        with podlike.connect(server) as client:
            podlike.accept(proxy).sendall(b"proxy")
            assert client.recv(5) == b"proxy"


def test_a_destination_can_be_named(podlike):
    """Where the kubelet's word is not the address that programs use, another is redirected instead."""
    proxy, direct = podlike.server(("10.201.1.7", 0)), podlike.server(API)
    written = f"10.201.1.7:{proxy.getsockname()[1]}"
    podlike.run(lambda: redirect(written, ["10.96.0.1:6443"], POD))
    with podlike.connect(("10.96.0.1", 6443)):
        podlike.accept(proxy)
    with podlike.connect(API):
        podlike.accept(direct)


@pytest.mark.parametrize(
    ("proxy", "destinations", "environment", "words"),
    [
        ("nowhere", (), POD, "--proxy"),
        ("10.89.0.11:15443", ["api:443"], POD, "--destination"),
        ("10.89.0.11:15443", (), {}, "KUBERNETES_SERVICE_HOST"),
        ("[fd00::1]:15443", (), POD, "another address family"),
    ],
)
def test_what_is_no_address_is_named(proxy, destinations, environment, words):
    """Who gives something wrong reads which."""
    with pytest.raises(UsageError, match=words):
        redirect(proxy, destinations, environment)


def test_without_the_right_it_says_which(podlike):
    """A container without NET_ADMIN reads what it lacks."""

    def unprivileged():
        libc = ctypes.CDLL(None, use_errno=True)
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        assert libc.capset(header, (ctypes.c_uint32 * 6)()) == 0  # of this thread only
        redirect("10.89.0.11:15443", (), POD)

    with pytest.raises(ApisnoopError, match="NET_ADMIN"):
        podlike.run(unprivileged)


def test_the_command_says_what_it_did(podlike, monkeypatch):
    """The container's log shows which connections go where."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", API[0])
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(API[1]))
    result = podlike.run(lambda: CliRunner().invoke(main.cli, ["redirect", "--proxy=10.201.1.7:15443"]))
    assert result.exit_code == 0, result.output
    assert result.output == "apisnoop-tproxy: connections to 10.96.0.1:443 go to 10.201.1.7:15443\n"
