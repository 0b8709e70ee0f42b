"""Configuration of a node."""

from __future__ import annotations

import json
import tomllib
from ipaddress import IPv4Network
from pathlib import Path

import yaml

from cluster import node_config
from cluster.images import PAUSE_IMAGE
from cluster.pki import KeyPair

PODS = IPv4Network("10.200.1.0/24")


def test_pods_keep_their_own_addresses() -> None:
    """Masquerading would hide a pod from other nodes and from the audit log."""
    (bridge, _) = json.loads(node_config.cni(PODS))["plugins"]
    assert bridge["ipMasq"] is False
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.200.1.0/24"}]]


def test_containerd_takes_the_pause_image_and_runtime_it_is_given() -> None:
    """The file is TOML that names our pause image, which is pinned, and the machine's runc."""
    plugins = tomllib.loads(node_config.containerd(Path("/usr/sbin/runc")))["plugins"]
    assert plugins["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == PAUSE_IMAGE
    runtime = plugins["io.containerd.cri.v1.runtime"]["containerd"]["runtimes"]["runc"]
    assert runtime["options"]["BinaryName"] == "/usr/sbin/runc"


def test_a_kubelet_serves_with_its_own_certificate_and_asks_who_calls() -> None:
    """Exec and logs are for those whom the API server vouches for."""
    identity = KeyPair(Path("/node/kubelet.crt"), Path("/node/kubelet.key"))
    config = yaml.safe_load(node_config.kubelet(Path("/node/resolv.conf"), Path("/node/ca.crt"), identity, {"A": True}))
    assert (config["tlsCertFile"], config["tlsPrivateKeyFile"]) == ("/node/kubelet.crt", "/node/kubelet.key")
    assert config["authentication"] == {"webhook": {"enabled": True}, "x509": {"clientCAFile": "/node/ca.crt"}}
    assert config["authorization"] == {"mode": "Webhook"}
    assert config["featureGates"] == {"A": True}


def test_a_kubelet_can_be_told_otherwise() -> None:
    """What a test asks for wins over what is usual here."""
    identity = KeyPair(Path("/node/kubelet.crt"), Path("/node/kubelet.key"))
    settings = {"maxPods": 250, "containerLogMaxSize": "1Mi"}
    config = yaml.safe_load(node_config.kubelet(Path("/resolv.conf"), Path("/ca.crt"), identity, {}, settings))
    assert (config["maxPods"], config["containerLogMaxSize"]) == (250, "1Mi")
