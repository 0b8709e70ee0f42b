"""A program with the official Python client: watch config maps while they are made, changed and deleted.

`python watching.py NAMESPACE` prints a line per event. It stands alone, as a user's own program would.
"""

import sys

from kubernetes import client, config, watch

LABEL = "made-by=watching"


def main(namespace: str) -> None:
    """Change three config maps, one step for each event that was seen."""
    config.load_kube_config()
    api = client.CoreV1Api()
    changes = [change for name in ("one", "two", "three") for change in steps(api, namespace, f"watching-{name}")]
    listed = api.list_namespaced_config_map(namespace, label_selector=LABEL)
    version = listed.metadata.resource_version
    changes.pop(0)()
    stream = watch.Watch()
    events = stream.stream(api.list_namespaced_config_map, namespace, label_selector=LABEL, resource_version=version)
    for event in events:
        print(event["type"], event["object"].metadata.name, event["object"].data, flush=True)
        if not changes:
            stream.stop()
        else:
            changes.pop(0)()


def steps(api, namespace, name):
    """Give the three steps of one object's life."""
    labels = dict([LABEL.split("=")])
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels=labels), data={"step": "1"})
    return [
        lambda: api.create_namespaced_config_map(namespace, body),
        lambda: api.patch_namespaced_config_map(name, namespace, {"data": {"step": "2"}}),
        lambda: api.delete_namespaced_config_map(name, namespace),
    ]


if __name__ == "__main__":
    main(sys.argv[1])
