"""The init containers, rendered for one pod.

https://kubernetes.io/docs/concepts/security/pod-security-standards/ says what `restricted` and `baseline` ask for.
"""

from typing import Any

from apisnoop.node.wanted import REDIRECT_CONTAINER, WAIT_CONTAINER
from apisnoop_webhook.settings import Injection, Interception
from apisnoop_webhook.wire import Container, PodSpec

_RESOURCES = {"cpu": "50m", "memory": "64Mi"}
"""Of the init container while it runs, both as request and as limit; afterwards nothing of it counts."""


def init_container(injection: Injection, spec: PodSpec) -> Container:
    """Render the init container that the mode asks for.

    A pod's quality of service stays what it is: where nobody asks for resources we do not (BestEffort), elsewhere
    requests equal limits (Guaranteed).
    """
    rendered = _wait(injection) if injection.interception is Interception.AGENT else _redirect(injection)
    if _asks_for_resources(spec):
        rendered["resources"] = {"requests": dict(_RESOURCES), "limits": dict(_RESOURCES)}
    return rendered


def _wait(injection: Injection) -> Container:
    """Wait until the node agent has enrolled the pod: no privilege at all, accepted by `restricted`."""
    user = {} if injection.user is None else {"runAsUser": injection.user, "runAsGroup": injection.user}
    return {
        "name": WAIT_CONTAINER,
        "image": injection.image,
        "imagePullPolicy": injection.pull_policy,
        "command": ["apisnoop-tproxy", "wait"],
        "args": [f"--limit={injection.wait_limit}"],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            **user,
        },
    }


def _redirect(injection: Injection) -> Container:
    """Write the rule from inside, and wait until the agent makes it act: NET_ADMIN, which `baseline` refuses."""
    return {
        "name": REDIRECT_CONTAINER,
        "image": injection.image,
        "imagePullPolicy": injection.pull_policy,
        "command": ["apisnoop-tproxy", "redirect"],
        "args": [f"--limit={injection.wait_limit}", *(f"--destination={one}" for one in injection.destinations)],
        "env": [{"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": False,
            "runAsUser": 0,
            "runAsGroup": 0,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def _asks_for_resources(spec: PodSpec) -> bool:
    ours = {WAIT_CONTAINER, REDIRECT_CONTAINER}
    containers = [*(spec.get("initContainers") or []), *spec.get("containers", [])]
    others: list[Any] = [container for container in containers if container.get("name") not in ours]
    return any(_has_some(thing.get("resources")) for thing in [*others, spec])


def _has_some(resources: Any) -> bool:  # noqa: ANN401 - JSON
    return bool(resources) and any(resources.get(kind) for kind in ("requests", "limits"))
