"""Where the API server is reached, from objects as it gives them."""

import pytest

from apisnoop.errors import ApisnoopError, UsageError
from apisnoop_certs.server_names import cluster_domain, server_names

SERVICE = {"spec": {"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1", "fd00::1"]}}
SLICES = [
    {"addressType": "IPv6", "endpoints": [{"addresses": ["2001:db8::5"]}]},
    {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.6"]}, {"addresses": ["10.0.0.5", "10.96.0.1"]}]},
    {"addressType": "IPv4", "endpoints": None},
]


def test_every_way_to_the_api_server_is_named():
    """Service names with the domain, cluster IPs of both families, endpoints; once each, in a stable order."""
    names = server_names(SERVICE, SLICES, "corp.example")
    assert names.names == (
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.corp.example",
    )
    assert [str(ip) for ip in names.addresses] == ["10.0.0.5", "10.0.0.6", "10.96.0.1", "2001:db8::5", "fd00::1"]


def test_what_the_user_adds_is_sorted_into_names_and_addresses():
    """Upper case and a closing dot mean the same name."""
    names = server_names(SERVICE, [], "cluster.local", ["API.example.com.", "192.0.2.7", "kubernetes"])
    assert names.names[4:] == ("api.example.com",)
    assert [str(ip) for ip in names.addresses] == ["10.96.0.1", "192.0.2.7", "fd00::1"]


def test_endpoints_that_are_names_become_names():
    """An EndpointSlice of type FQDN holds host names."""
    slices = [{"addressType": "FQDN", "endpoints": [{"addresses": ["api.example.com"]}]}]
    assert server_names(SERVICE, slices, "cluster.local").names[-1] == "api.example.com"


@pytest.mark.parametrize("text", ["a b", "*.example.com", "-a", "x" * 64, "", "a..b", "https://a"])
def test_a_name_that_is_none_is_refused(text):
    """The message shows it."""
    with pytest.raises(UsageError, match="is neither a DNS name nor an IP address"):
        server_names(SERVICE, [], "cluster.local", [text])


@pytest.mark.parametrize("spec", [{}, {"clusterIP": "None"}, {"clusterIPs": []}])
def test_a_service_without_address_is_an_error(spec):
    """Without the cluster IP no client would accept the certificate."""
    with pytest.raises(ApisnoopError, match="has no cluster IP"):
        server_names({"spec": spec}, [], "cluster.local")


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        (
            "nameserver 10.96.0.10\nsearch shop.svc.corp svc.corp corp\noptions ndots:5\n",
            "corp",
        ),
        ("search svc.cluster.local.\n", "cluster.local"),
        ("search example.com\n", None),
        ("\n# search svc.no\n", None),
    ],
)
def test_the_domain_is_read_from_a_pods_resolver(text, domain):
    """The kubelet writes it into the search list; elsewhere there is none."""
    assert cluster_domain(text) == domain
