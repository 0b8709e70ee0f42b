"""A DaemonSet for tests that want a pod on every node."""

from __future__ import annotations


def daemon_set(**pod: object) -> dict[str, object]:
    """Make a DaemonSet whose pods sleep and are labelled app=daemon; `pod` are further fields of their spec."""
    container = {
        "name": "daemon",
        "image": "local/busybox:1",
        "imagePullPolicy": "Never",
        "command": ["sleep", "1000"],
    }
    labels = {"app": "daemon"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **pod}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "daemon"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
