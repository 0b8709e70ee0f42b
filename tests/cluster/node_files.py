"""The files a node reads when it starts, written into its folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import node_config
from .access import write_kubeconfig
from .node import node_name
from .packages import SYSTEM_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .control_plane import ControlPlane
    from .pki import Authority, KeyPair
    from .slot import Slot


def write_node_files(
    plane: ControlPlane, authority: Authority, slot: Slot, number: int, kubelet: Mapping[str, Any] | None = None
) -> None:
    """Make the folder of node `number` with its configuration, certificates and kubeconfigs.

    `kubelet` are fields of the kubelet's configuration that are not as usual.
    """
    name, address = node_name(number), slot.node_address(number)
    directory = slot.directory / name
    directory.mkdir()
    # One certificate serves both ways: as a client it is the node, as a server the kubelet.
    identity = authority.issue(
        "kubelet", user=f"system:node:{name}", groups=["system:nodes"], hosts=[name, address], directory=directory
    )
    _write_kubeconfig(plane, identity)
    proxy = authority.issue("kube-proxy", user="system:kube-proxy", directory=directory)
    _write_kubeconfig(plane, proxy)
    runc = Path(shutil.which("runc", path=SYSTEM_PATH) or "runc")
    ca = Path(shutil.copy(authority.files.certificate, directory))
    texts = {
        "address": str(address),
        "cni.conflist": node_config.cni(slot.pod_network(number)),
        "containerd.toml": node_config.containerd(runc),
        "kubelet.yaml": node_config.kubelet(directory / "resolv.conf", ca, identity, plane.feature_gates, kubelet),
        "kube-proxy.yaml": node_config.kube_proxy(
            directory / "kube-proxy.kubeconfig", slot.cluster_network, plane.feature_gates
        ),
        # Pods that ask for the node's own DNS get none: there is no way to the internet.
        "resolv.conf": "",
    }
    for file_name, text in texts.items():
        (directory / file_name).write_text(text)


def _write_kubeconfig(plane: ControlPlane, identity: KeyPair) -> None:
    """Write the kubeconfig of a node's component beside its certificate, naming files that the node sees."""
    ca = identity.certificate.with_name("ca.crt")
    user = {"client-certificate": str(identity.certificate), "client-key": str(identity.key)}
    write_kubeconfig(identity.certificate.with_suffix(".kubeconfig"), plane.url, ca, user)
