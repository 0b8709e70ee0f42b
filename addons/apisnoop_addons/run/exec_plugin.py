"""Credential plugins (`exec` of a kubeconfig's user): run by the client as ever, with a wrapper around them.

The client decides when to run a plugin, with which input and environment, and how long its answer holds; the wrapper
(`exec_wrapper`) only keeps the key of a certificate that the plugin returns, and shows the plugin the real cluster.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

import base64
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apisnoop_addons.run import exec_wrapper
from apisnoop_addons.run.kubeconfig import Entry
from apisnoop_addons.run.servers import Server


def wrap_plugin(user: Entry, folder: Path) -> Entry:
    """Return the user entry with its plugin inside the wrapper; other users come back as they are.

    A plugin that is not installed is left alone, so that the client tells how to install it in its own words.
    """
    plugin = user.get("exec")
    if not isinstance(plugin, dict) or shutil.which(str(plugin.get("command", ""))) is None:
        return user
    arguments = ["-I", "-S", exec_wrapper.__file__, str(folder), plugin["command"], *(plugin.get("args") or [])]
    return {**user, "exec": {**plugin, "command": sys.executable, "args": arguments}}


def render_clusters(servers: Mapping[str, tuple[Server, Entry]]) -> str:
    """Return the wrapper's clusters.json: for each listener address (host:port), what a plugin is told of its
    cluster."""
    return json.dumps({address: exec_cluster(server, entry) for address, (server, entry) in servers.items()})


def exec_cluster(server: Server, cluster: Entry) -> dict[str, Any]:
    """Return the `spec.cluster` of client.authentication.k8s.io, without the configuration, which the client adds."""
    told = {
        "server": cluster["server"],
        "tls-server-name": cluster.get("tls-server-name"),
        "insecure-skip-tls-verify": server.insecure,
        "certificate-authority-data": base64.b64encode(server.ca).decode() if server.ca else None,
        "proxy-url": cluster.get("proxy-url"),
        "disable-compression": cluster.get("disable-compression"),
    }
    return {key: value for key, value in told.items() if value}
