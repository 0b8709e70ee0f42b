"""Which namespaces a verb is about: kubectl's -n and -A, and the namespace of the kubeconfig's context."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from apisnoop.cli.options import kubeconfig_options

type Decorated = Callable[..., Any]
OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Of the pod we run in."""


install_namespace_option = click.option(
    "--install-namespace",
    "place",
    metavar="NAME",
    help="Where apisnoop is installed.  [default: it is looked for everywhere]",
)
"""Gives `place`: for whoever may not look into all namespaces."""


def namespace_options(everywhere: str, one: str = "Only this namespace.") -> Callable[[Decorated], Decorated]:
    """Add -n, -A and the kubeconfig's options; they give `namespace`: a name, None for all, "" where nothing was said.

    `everywhere` and `one` are the help of the two.
    """

    def decorate(command: Decorated) -> Decorated:
        @functools.wraps(command)
        def with_namespace(*args: Any, namespace: str | None, all_namespaces: bool, **options: Any) -> Any:  # noqa: ANN401
            if namespace and all_namespaces:
                raise click.UsageError("-n and -A exclude one another")
            return command(*args, namespace=None if all_namespaces else namespace or "", **options)

        named = click.option("-n", "--namespace", metavar="NAME", help=one)
        every = click.option("-A", "--all-namespaces", is_flag=True, help=everywhere)
        return named(every(kubeconfig_options(with_namespace)))

    return decorate


def current_namespace(kubeconfig: Path | None, context: str | None) -> str:
    """Give the namespace that kubectl would use: the context's, the pod's own, or default."""
    from kubernetes import config  # noqa: PLC0415 - takes 0.3 s

    try:
        contexts, active = config.list_kube_config_contexts(str(kubeconfig) if kubeconfig else None)
    except config.ConfigException:
        contexts, active = [], None
    chosen = next((one for one in contexts or () if one["name"] == context), None) if context else active
    if chosen is not None:
        return str((chosen.get("context") or {}).get("namespace") or "default")
    try:
        return OWN_NAMESPACE.read_text(encoding="utf-8").strip() or "default"
    except OSError:
        return "default"
