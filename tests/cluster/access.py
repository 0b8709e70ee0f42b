"""What a client needs to talk to an API server, and `kubectl` to do it with."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from . import binaries

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Credentials:
    """One user of the cluster: a kubeconfig and the client certificate it holds, as files."""

    kubeconfig: Path
    certificate: Path
    key: Path


class Access:
    """A reachable API server: one that these tests started, or one that somebody else runs."""

    def __init__(self, kubeconfig: Path, kubectl: Path) -> None:
        self.kubeconfig = kubeconfig
        self.kubectl_path = kubectl
        self._context = _current_context(kubeconfig)

    @property
    def apiserver_url(self) -> str:
        """The server's address as the kubeconfig has it, without a trailing slash."""
        return str(self._context["server"]).rstrip("/")

    @property
    def environment(self) -> dict[str, str]:
        """Environment for a client: this process's, with KUBECONFIG set and without an HTTP proxy."""
        return {**environment_without_proxies(), "KUBECONFIG": str(self.kubeconfig)}

    @property
    def helm_path(self) -> Path:
        """The helm program; built, which takes a minute, when the cache has none."""
        return binaries.build(binaries.HELM) / "helm"

    def helm(self, *arguments: str | Path, timeout: float = 300) -> str:
        """Run helm as the administrator and return its standard output; fails as `kubectl` does."""
        return self.run(self.helm_path, *arguments, timeout=timeout)

    def kubectl(self, *arguments: str | Path, stdin: str | None = None, timeout: float = 120) -> str:
        """Run kubectl as the administrator and return its standard output.

        Raises CalledProcessError, whose note holds kubectl's message, when it fails.
        """
        return self.run(self.kubectl_path, *arguments, stdin=stdin, timeout=timeout)

    def get(self, *arguments: str) -> Any:
        """Return what `kubectl get ARGUMENTS -o json` prints, parsed."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, thing: Mapping[str, Any], namespace: str = "default") -> None:
        """Create or update an object, or a List of them."""
        self.kubectl("apply", "--filename=-", f"--namespace={namespace}", stdin=json.dumps(thing))

    def run(self, *command: str | Path, stdin: str | None = None, timeout: float = 120) -> str:
        """Run a client program with this cluster's `environment` and return its standard output."""
        words = [str(word) for word in command]
        try:
            return subprocess.run(
                words,
                env=self.environment,
                timeout=timeout,
                check=True,
                capture_output=True,
                text=True,
                **({"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}),
            ).stdout
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr.strip())
            raise

    def service_account_token(self, namespace: str, name: str = "default", *, duration: str = "1h") -> str:
        """Ask the API server for a token of a service account."""
        return self.kubectl("create", "token", name, "--namespace", namespace, "--duration", duration).strip()


def environment_without_proxies() -> dict[str, str]:
    """Return this process's environment without HTTP proxies, which know no way to a cluster on this machine."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def write_kubeconfig(path: Path, server: str, ca: Path, user: dict[str, str]) -> None:
    """Write a kubeconfig with one context; `user` holds the fields of a kubeconfig's user."""
    name = "apisnoop-test"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority": str(ca)}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def _current_context(kubeconfig: Path) -> dict[str, Any]:
    """Return the cluster of a kubeconfig's current context."""
    config = yaml.safe_load(kubeconfig.read_text())
    contexts = {entry["name"]: entry["context"] for entry in config["contexts"]}
    clusters = {entry["name"]: entry["cluster"] for entry in config["clusters"]}
    cluster: dict[str, Any] = clusters[contexts[config["current-context"]]["cluster"]]
    return cluster
