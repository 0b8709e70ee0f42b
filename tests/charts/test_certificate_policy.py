"""The admission policy that ties the right to approve, held against what its program prints."""

from datetime import timedelta

import pytest

from apisnoop_certs.policy import Tie, policy_objects
from apisnoop_certs.server_names import server_names
from apisnoop_certs.settings import requests_named
from tests.charts.rendering import find, objects

pytestmark = pytest.mark.cluster  # helm comes with the test cluster's programs
SERVICE_ACCOUNTS = "system:serviceaccount:apisnoop:apisnoop-"


def tied(names):
    """Give the specs of the policy and its binding as `apisnoop-certs policy` prints them."""
    tie = Tie(
        f"{SERVICE_ACCOUNTS}certs",
        requests_named("apisnoop"),
        ["kubernetes.io/kubelet-serving", "beta.eks.amazonaws.com/app-serving"],
        timedelta(days=7),
        names,
    )
    return {one["kind"]: one["spec"] for one in policy_objects("apisnoop-certs", tie)}


def policies(things):
    """Give the chart's."""
    kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    return {kind: find(things, kind, "apisnoop-certs")["spec"] for kind in kinds}


@pytest.mark.parametrize(
    ("domain", "addresses", "extra"),
    [
        ("", ["10.96.0.1", "10.89.0.1", "10.89.0.1"], []),
        ("corp.example", ["10.96.0.1", "fd00:10:96::1", "172.18.0.2", "2001:db8::", "::1"], ["API.Example.com."]),
        ("", ["172.20.0.1", "10.0.63.63", "api.internal", "10.0.9.1"], ["192.0.2.7", "kubernetes", "fd00::63:1"]),
        # Lengths of one, two and three bytes, and every remainder of both encodings, are in among these.
        *(("", ["10.96.0.1"], [f"{'x' * length}.example.com"]) for length in (1, 2, 3, 4, 30, 46)),
        ("", [f"10.0.0.{number}" for number in range(40)], ["a." + "b" * 60, "c" * 63]),
    ],
)
def test_the_certificate_policy_is_exact_and_the_one_its_program_prints(domain, addresses, extra):
    """Names, domain and addresses in, the same expression out, which the chart has to make without a library for it."""
    ips, hosts = ([one for one in addresses if one.endswith("internal") is names] for names in (False, True))
    slices = [{"endpoints": [{"addresses": ips}]}, {"addressType": "FQDN", "endpoints": [{"addresses": hosts}]}]
    names = server_names({"spec": {"clusterIP": ips[0]}}, slices, domain or "cluster.local", extra)
    settings = [f"certificate.domain={domain}"]
    for value, given in (("addresses", addresses), ("extraNames", extra)):
        settings += [f"certificate.{value}[{at}]={one}" for at, one in enumerate(given)]
    assert policies(objects(tuple(settings))) == tied(names)


@pytest.mark.parametrize("settings", [(), ("certificate.anyNames=true", "certificate.addresses[0]=10.96.0.1")])
def test_the_certificate_policy_leaves_names_open_where_nobody_knows_them(settings):
    """That is where Helm cannot look, or where it is asked for: as `apisnoop-certs policy --any-names` prints it."""
    assert policies(objects(settings)) == tied(None)
