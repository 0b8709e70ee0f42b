"""Proxies that the environment names."""

import pytest

from apisnoop_addons.run.proxies import exempt_loopback, proxy_for

PROXY = "http://p:3128"


@pytest.mark.parametrize(
    ("scheme", "environment", "proxy"),
    [
        ("https", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https", {"https_proxy": PROXY}, PROXY),
        ("https", {"HTTP_PROXY": PROXY}, ""),
        ("http", {"HTTP_PROXY": PROXY}, PROXY),
        ("https", {"HTTPS_PROXY": "p:3128"}, PROXY),
        ("https", {"ALL_PROXY": PROXY}, ""),
        ("https", {}, ""),
    ],
)
def test_the_variable_of_the_scheme_names_the_proxy(scheme, environment, proxy):
    """As in Go's net/http: a bare address is an http proxy, ALL_PROXY means nothing."""
    assert proxy_for(scheme, "api.example.com", 443, environment) == proxy


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_loopback_is_never_proxied(host):
    """Whatever the environment says."""
    assert proxy_for("https", host, 443, {"HTTPS_PROXY": PROXY}) == ""


@pytest.mark.parametrize(
    ("no_proxy", "host", "exempt"),
    [
        ("*", "api.example.com", True),
        ("example.com", "api.example.com", True),
        ("example.com", "example.com", True),
        (".example.com", "api.example.com", True),
        (".example.com", "example.com", False),
        ("*.example.com", "api.example.com", True),
        ("ample.com", "api.example.com", False),
        ("EXAMPLE.com", "api.Example.com", True),
        ("a, b ,example.com", "api.example.com", True),
        ("example.com:6443", "api.example.com", True),
        ("example.com:443", "api.example.com", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3:6443", "10.1.2.3", True),
        ("10.1.2.3:1", "10.1.2.3", False),
        ("[fd00::1]:6443", "fd00::1", True),
        ("fd00::/8", "fd00::1", True),
        ("fd00::1", "fd00::2", False),
        ("", "api.example.com", False),
        (",,", "api.example.com", False),
    ],
)
def test_no_proxy_exempts_names_addresses_and_ranges(no_proxy, host, exempt):
    """The rules of Go's net/http, for port 6443."""
    assert proxy_for("https", host, 6443, {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}) == ("" if exempt else PROXY)


def test_without_a_proxy_the_environment_stays_as_it_is():
    """Nothing is set that was not set."""
    assert exempt_loopback({"NO_PROXY": "a"}) == {}


def test_loopback_is_added_to_what_is_exempt():
    """In both spellings, each keeping what it had."""
    assert exempt_loopback({"HTTPS_PROXY": PROXY, "NO_PROXY": "a,localhost", "no_proxy": "b"}) == {
        "NO_PROXY": "a,localhost,127.0.0.1",
        "no_proxy": "b,127.0.0.1,localhost",
    }
    assert exempt_loopback({"all_proxy": PROXY, "no_proxy": "b"}) == {
        "NO_PROXY": "b,127.0.0.1,localhost",
        "no_proxy": "b,127.0.0.1,localhost",
    }
    assert exempt_loopback({"http_proxy": PROXY, "NO_PROXY": "*"}) == {}
