"""The temporary kubeconfig: the user's own, its clusters replaced by the proxy's listeners.

Everything that decides who the client is stays with the client: tokens, certificates, plugins, impersonation. What
says how to reach and verify the server moves to the proxy.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from apisnoop_addons.run.exec_plugin import wrap_plugin
from apisnoop_addons.run.kubeconfig import Entry, Kubeconfig
from apisnoop_addons.run.servers import Server

# What these say is done upstream, and would be wrong towards the proxy.
_UPSTREAM_KEYS = frozenset(
    {
        "certificate-authority",
        "certificate-authority-data",
        "insecure-skip-tls-verify",
        "proxy-url",
        "server",
        "tls-server-name",
    }
)


@dataclass(frozen=True, slots=True)
class Redirect:
    """A server and the address (host:port) of the listener that stands for it."""

    server: Server
    address: str


def redirect(
    kubeconfig: Kubeconfig, redirects: Mapping[str, Redirect], authority: bytes, plugin_folder: Path
) -> Kubeconfig:
    """Point the clusters named in `redirects` to their listeners; `authority` (PEM) is what clients trust there."""
    clusters = {
        name: _redirected(entry, redirects[name], authority) if name in redirects else entry
        for name, entry in kubeconfig.clusters.items()
    }
    users = {name: wrap_plugin(user, plugin_folder) for name, user in kubeconfig.users.items()}
    return replace(kubeconfig, clusters=clusters, users=users)


def _redirected(cluster: Entry, to: Redirect, authority: bytes) -> Entry:
    kept = {key: value for key, value in cluster.items() if key not in _UPSTREAM_KEYS}
    server = f"{to.server.scheme}://{to.address}{to.server.path}"
    if to.server.scheme == "http":
        return {"server": server, **kept}
    return {"server": server, "certificate-authority-data": base64.b64encode(authority).decode(), **kept}
