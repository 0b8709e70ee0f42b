"""Addresses from what the container runtime has noted."""

import json

import pytest

from apisnoop_tproxy.cni_results import cni_addresses

SANDBOX = "5a" * 32
UID = "0b7c1c26-ffd5-4d54-b3a5-7d1f6e2f1a11"


def cached(folder, sandbox=SANDBOX, uid=UID, ips=("10.244.1.7/24", "fd00:10:244::7/64"), name="pods"):
    """Write what libcni keeps of an attachment."""
    text = {
        "kind": "cniCacheV1",
        "containerId": sandbox,
        "config": "e30=",
        "ifName": "eth0",
        "networkName": "pods",
        "netns": "/var/run/netns/cni-1",
        "cniArgs": [["IgnoreUnknown", "1"], ["K8S_POD_NAMESPACE", "shop"], ["K8S_POD_UID", uid]],
        "result": {"cniVersion": "1.0.0", "ips": [{"address": one, "interface": 1} for one in ips], "dns": {}},
    }
    file = folder / f"{name}-{sandbox}-eth0"
    file.write_text(json.dumps(text))
    return file


def test_a_pods_addresses_are_found(tmp_path):
    """The sandbox's results give its addresses of both families, and none that every namespace has."""
    cached(tmp_path)
    cached(tmp_path, sandbox="5b" * 32, ips=("10.244.1.8/24",))
    cached(tmp_path, name="cni-loopback", ips=("127.0.0.1/8", "::1/128", "fe80::1/64"))
    assert cni_addresses(tmp_path, UID, {SANDBOX, ""}) == {"10.244.1.7", "fd00:10:244::7"}


@pytest.mark.parametrize("spoilt", [b"", b'{"result":', b'{"result": {"ips": [{"address": "nowhere"}]}}', b"[]"])
def test_what_cannot_be_read_gives_none(tmp_path, spoilt):
    """A file that is being written, or is none of libcni's, is no reason to fail."""
    cached(tmp_path).write_bytes(spoilt)
    assert cni_addresses(tmp_path, UID, {SANDBOX}) == frozenset()


def test_another_pods_result_is_not_taken(tmp_path):
    """The pod's UID in it has to be the one asked for."""
    cached(tmp_path, uid="another")
    assert cni_addresses(tmp_path, UID, {SANDBOX}) == frozenset()
    assert cni_addresses(tmp_path / "nowhere", UID, {SANDBOX}) == frozenset()
