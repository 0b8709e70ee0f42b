"""What a cluster entry says about its server."""

import base64

import pytest

from apisnoop.errors import ApisnoopError
from apisnoop_addons.run.servers import Server, server_of
from tests.addons.run.pki import Authority


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "path"),
    [
        ("https://10.0.0.1:6443", "https", "10.0.0.1", 6443, ""),
        ("https://api.example.com", "https", "api.example.com", 443, ""),
        ("https://[fd00::1]:6443/", "https", "fd00::1", 6443, ""),
        ("http://localhost:8001", "http", "localhost", 8001, ""),
        ("http://localhost", "http", "localhost", 80, ""),
        ("https://rancher.example.com/k8s/clusters/c-1/", "https", "rancher.example.com", 443, "/k8s/clusters/c-1"),
        ("api.example.com:8443", "https", "api.example.com", 8443, ""),
    ],
)
def test_the_server_url_is_taken_apart(url, scheme, host, port, path):
    """Scheme, address and prefix come from the URL; a bare address means https."""
    server = server_of("c", {"server": url}, {})
    assert (server.scheme, server.host, server.port, server.path) == (scheme, host, port, path)
    assert server.server_name == host


@pytest.mark.parametrize("url", ["", "ftp://x", "https://", "https://x:notaport", "https://x:0", "https://x:70000"])
def test_a_server_that_is_no_url_is_told(url):
    """The line names the cluster and the value."""
    with pytest.raises(ApisnoopError, match=r"cluster 'c': server .* is no http or https URL"):
        server_of("c", {"server": url}, {})


def test_the_url_is_told_as_the_kubeconfig_has_it():
    """Without a login that it may hold."""
    assert server_of("c", {"server": "https://[fd00::1]:443/p/"}, {}).url == "https://[fd00::1]:443/p"
    assert server_of("c", {"server": "https://ann:hunter2@h"}, {}).url == "https://h"


def test_trust_is_what_the_entry_says():
    """Name to verify, authorities and the wish not to verify are kept."""
    authority = Authority().pem
    entry = {
        "server": "https://10.0.0.1",
        "tls-server-name": "kubernetes",
        "certificate-authority-data": base64.b64encode(authority).decode(),
    }
    server = server_of("c", entry, {})
    assert (server.server_name, server.ca, server.insecure) == ("kubernetes", authority, False)
    assert server_of("c", {"server": "x", "insecure-skip-tls-verify": True}, {}).insecure


def test_authorities_may_be_in_a_file(tmp_path):
    """The file's content is read; data in the entry goes before it."""
    first, second = Authority().pem, Authority().pem
    (tmp_path / "ca").write_bytes(first)
    entry = {"server": "x", "certificate-authority": str(tmp_path / "ca")}
    assert server_of("c", entry, {}).ca == first
    both = {**entry, "certificate-authority-data": base64.b64encode(second).decode()}
    assert server_of("c", both, {}).ca == second


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"certificate-authority-data": "%%"}, "certificate-authority-data is not base64"),
        ({"certificate-authority-data": "aGVsbG8="}, "certificate-authority-data holds no PEM certificate"),
        ({"certificate-authority": "/nowhere/ca"}, "certificate-authority /nowhere/ca cannot be read"),
        ({"certificate-authority": "/dev/null"}, "certificate-authority /dev/null holds no PEM certificate"),
        ({"proxy-url": "ftp://p"}, "proxy-url 'ftp://p' is no http, https or socks5 URL"),
    ],
)
def test_an_entry_that_cannot_be_used_is_told(entry, message):
    """The line names the cluster, the key and what is wrong."""
    with pytest.raises(ApisnoopError, match=f"cluster 'c': {message}"):
        server_of("c", {"server": "https://c", **entry}, {})


def test_the_password_of_a_proxy_is_not_told():
    """An error about a proxy URL leaves out who logs in to it."""
    with pytest.raises(ApisnoopError) as told:
        server_of("c", {"server": "https://c", "proxy-url": "ftp://ann:hunter2@p:1"}, {})
    assert "proxy-url 'ftp://p:1' is no http" in str(told.value)
    assert "hunter2" not in str(told.value)


def test_a_proxy_of_the_environment_that_is_none_is_told():
    """So that a typing mistake there is found."""
    with pytest.raises(ApisnoopError, match=r"the environment's proxy 'ftp://p' is no http, https or socks5 URL"):
        server_of("c", {"server": "https://c"}, {"HTTPS_PROXY": "ftp://p"})


def test_the_entrys_proxy_goes_before_the_environments():
    """proxy-url wins over HTTPS_PROXY, which is used where there is none."""
    environment = {"HTTPS_PROXY": "http://env:3128"}
    assert (
        server_of("c", {"server": "https://c", "proxy-url": "socks5://own:1"}, environment).proxy_url
        == "socks5://own:1"
    )
    assert server_of("c", {"server": "https://c"}, environment).proxy_url == "http://env:3128"


def test_a_server_is_a_value():
    """Two readings of the same entry are equal."""
    assert isinstance(server_of("c", {"server": "https://c"}, {}), Server)
    assert server_of("c", {"server": "https://c"}, {}) == server_of("c", {"server": "https://c"}, {})
