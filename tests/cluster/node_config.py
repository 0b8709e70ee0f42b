"""Configuration files of a node: pure functions from the cluster's addresses to their text.

Everything that differs from the defaults is here because a machine without a distribution's node setup needs it: no
swap or disk thresholds, no registry, no right to lower oom_score_adj, cgroup v1 as well as v2.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from .images import PAUSE_IMAGE
from .packages import CNI_PLUGINS
from .slot import DNS_SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Network
    from pathlib import Path

    from .pki import KeyPair

CLUSTER_DOMAIN = "cluster.local"


def containerd(runc: Path) -> str:
    """Render containerd's config.toml."""
    return f"""\
version = 3
oom_score = 0

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE_IMAGE}"

[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{CNI_PLUGINS}"]
conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "{runc}"
SystemdCgroup = false
"""


def cni(pods: IPv4Network) -> str:
    """Render the CNI network of a node: a bridge, addresses from its own range, host ports, no masquerading."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        # Masquerading would hide pods from one another's nodes and from the API server's audit log.
        "ipMasq": False,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": str(pods)}]], "routes": [{"dst": "0.0.0.0/0"}]},
    }
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
    return json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": plugins}, indent=2)


def kubelet(
    resolv_conf: Path,
    ca: Path,
    identity: KeyPair,
    feature_gates: Mapping[str, bool],
    settings: Mapping[str, Any] | None = None,
) -> str:
    """Render the kubelet's configuration; `settings` are fields of it that a test wants otherwise."""
    return _yaml(
        "kubelet.config.k8s.io/v1beta1",
        "KubeletConfiguration",
        {
            "authentication": {"webhook": {"enabled": True}, "x509": {"clientCAFile": str(ca)}},
            "authorization": {"mode": "Webhook"},
            "cgroupDriver": "cgroupfs",
            "clusterDNS": [str(DNS_SERVICE)],
            "clusterDomain": CLUSTER_DOMAIN,
            # `kubectl logs` shows what was written since the last rotation; tests read long logs whole.
            "containerLogMaxSize": "1Gi",
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
            "enforceNodeAllocatable": [],
            "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "failCgroupV1": False,
            "failSwapOn": False,
            "featureGates": dict(feature_gates),
            # Images come by hand and from nowhere else: none may be collected.
            "imageGCHighThresholdPercent": 100,
            # Lowering it takes CAP_SYS_RESOURCE, which a container's root lacks.
            "oomScoreAdj": 0,
            "resolvConf": str(resolv_conf),
            # Nobody approves requests for serving certificates.
            "tlsCertFile": str(identity.certificate),
            "tlsPrivateKeyFile": str(identity.key),
            **(settings or {}),
        },
    )


def kube_proxy(kubeconfig: Path, pods: IPv4Network, feature_gates: Mapping[str, bool]) -> str:
    """Render kube-proxy's configuration; `pods` are all pod addresses of the cluster."""
    return _yaml(
        "kubeproxy.config.k8s.io/v1alpha1",
        "KubeProxyConfiguration",
        {
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            "clusterCIDR": str(pods),
            # The connection table belongs to the machine: leave its size alone.
            "conntrack": {"maxPerCore": 0, "min": 0},
            "featureGates": dict(feature_gates),
            "mode": "nftables",
            # At the default second, a Service's first connection in a test is often refused.
            "nftables": {"minSyncPeriod": "50ms"},
            "oomScoreAdj": 0,
        },
    )


def _yaml(version: str, kind: str, fields: Mapping[str, Any]) -> str:
    return yaml.safe_dump({"apiVersion": version, "kind": kind, **fields}, sort_keys=False)
