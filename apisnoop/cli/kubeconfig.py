"""Credentials for a live cluster: those of a kubeconfig as kubectl would take it, or the pod's own.

The kubernetes client reads them; what it complains of is told in words that name the file and the next step. Import
this module only when a cluster is asked for: the client takes 0.3 s.
"""

import logging
import os
import re
from pathlib import Path

import yaml
from kubernetes import client, config

from apisnoop.causes import cause_of
from apisnoop.cli.candidates import context_names
from apisnoop.errors import ApisnoopError, UsageError

_LIBRARY_HEAD = re.compile(r"Invalid kube-config( file)?\. ")
"""What every complaint of the client begins with."""


def configure(kubeconfig: Path | None, context: str | None) -> client.Configuration:
    """Load a kubeconfig's or the pod's own credentials.

    Raises ApisnoopError, naming the file, when there are none that can be used; UsageError for a context that the
    kubeconfig does not have.
    """
    configuration = client.Configuration()
    # What the client logs about kubeconfigs it cannot use comes back as exceptions, too.
    logging.getLogger("kubernetes").addHandler(logging.NullHandler())
    if kubeconfig is None and context is None and _in_pod_without_kubeconfig():
        _load_own(configuration)
        return configuration
    path = None if kubeconfig is None else str(kubeconfig)
    try:
        config.load_kube_config(path, context, client_configuration=configuration, persist_config=False)
    except (config.ConfigException, OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise _unusable(kubeconfig_paths(kubeconfig), context, error) from None
    return configuration


def authorization(configuration: client.Configuration) -> dict[str, str]:
    """Give the header that holds the token, none where there is none.

    To be asked for each request: a token of the pod or of an exec plugin is renewed behind it.
    """
    token = configuration.auth_settings().get("BearerToken")
    return {"Authorization": token["value"]} if token is not None and token["value"] else {}


def _load_own(configuration: client.Configuration) -> None:
    """Load the credentials that Kubernetes mounts into the pod we run in."""
    try:
        config.load_incluster_config(client_configuration=configuration)
    except (config.ConfigException, OSError, ValueError) as error:
        what = cause_of(error).rstrip(".")
        raise ApisnoopError(f"cannot use the pod's own credentials: {what}; give a --kubeconfig") from None


def kubeconfig_paths(explicit: Path | None) -> list[Path]:
    """Give the files that kubectl would read."""
    if explicit is not None:
        return [explicit]
    listed = [Path(path) for path in os.environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    return listed or [Path.home() / ".kube" / "config"]


def _unusable(paths: list[Path], context: str | None, error: Exception) -> ApisnoopError:
    """Say what is wrong with a kubeconfig: it is not there, has no such context, or what the client says of it."""
    where = ", ".join(map(str, paths))
    if not any(path.exists() for path in paths):
        return ApisnoopError(f"no kubeconfig: {where} not found; name one with --kubeconfig FILE or KUBECONFIG")
    known = [name for path in paths for name in context_names(path)]
    if context is not None and known and context not in known:
        return UsageError(f"no context {context!r} in kubeconfig {where}; it has: {', '.join(sorted(known))}")
    what = _LIBRARY_HEAD.sub("", cause_of(error)).rstrip(".")
    return ApisnoopError(f"cannot use kubeconfig {where}: {what}; give another with --kubeconfig")


def _in_pod_without_kubeconfig() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ and not any(path.exists() for path in kubeconfig_paths(None))
