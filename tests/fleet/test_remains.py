"""What an uninstall removes, and what has to stay for a while."""

from pathlib import Path

import pytest
import yaml

from apisnoop.fleet.remains import BUNDLE, COLLECTIONS, carriers, is_foreign, is_removable, object_path
from tests.fleet.things import LABELS, pod, thing

GOLDEN = Path(__file__).parents[1] / "charts" / "golden"
CHART = {"helm.sh/chart": "apisnoop-1.0.0"}


@pytest.mark.parametrize(
    ("labels", "removable"),
    [
        ({**LABELS, **CHART}, True),
        (LABELS, False),
        ({"app.kubernetes.io/name": "apisnoop", **CHART}, False),
        ({**LABELS, "helm.sh/chart": "snoopdb-1"}, False),
        ({}, False),
    ],
)
def test_only_what_the_chart_has_made_is_removed(labels, removable):
    """Others may call their programs apisnoop, too; their Secrets are not ours."""
    assert is_removable(thing("x", labels=labels).metadata) is removable


TEST = {"app.kubernetes.io/name": "apisnoop", "app.kubernetes.io/component": "test"}


@pytest.mark.parametrize(
    ("labels", "annotations", "ours"),
    [
        (TEST, {"helm.sh/hook": "test"}, True),
        (TEST, {}, False),
        ({**TEST, "app.kubernetes.io/name": "shop"}, {"helm.sh/hook": "test"}, False),
    ],
)
def test_the_pod_that_helm_test_leaves_is_ours(labels, annotations, ours):
    """It is removed and keeps no namespace, though it is not labelled as a part: it has to be recorded."""
    metadata = thing("apisnoop-test", labels=labels, annotations=annotations).metadata
    assert (is_removable(metadata), is_foreign("Pod", metadata, ())) == (ours, not ours)


def with_volume(volume):
    """Give a pod that mounts something."""
    return pod("web-0", spec={"volumes": [volume]})


@pytest.mark.parametrize(
    "volume",
    [
        {"configMap": {"name": BUNDLE}},
        {"projected": {"sources": [{"serviceAccountToken": {}}, {"configMap": {"name": BUNDLE}}]}},
    ],
)
def test_pods_that_mount_the_bundle_are_named_by_namespace(volume):
    """They could not start again without it."""
    assert carriers([with_volume(volume), pod("x")]).bundled == {"shop": ("web-0",)}


def test_pods_with_our_init_container_are_named():
    """They go on as they are; those that have ended count for nothing."""
    spec = {"initContainers": [{"name": "apisnoop-wait"}]}
    pods = [pod("web-0", spec=spec), pod("done", spec=spec, status={"phase": "Failed"}), pod("x")]
    assert carriers(pods).waiting == ("shop/web-0",)


def test_other_volumes_carry_nothing():
    """Most pods mount the cluster's own bundle."""
    assert (
        carriers([with_volume({"configMap": {"name": "kube-root-ca.crt"}}), with_volume({"emptyDir": {}})]).bundled
        == {}
    )


def test_every_kind_that_the_chart_can_make_is_looked_for():
    """In all its modes, those of other projects' kinds included: what is not looked for stays behind."""
    rendered = [one for path in GOLDEN.glob("*.yaml") for one in yaml.safe_load_all(path.read_text()) if one]
    made = {(one["apiVersion"], one["kind"].lower()) for one in rendered}
    assert {version for version, _ in made} >= {"cert-manager.io/v1", "monitoring.coreos.com/v1", "v1"}
    places = {f"/{'apis' if '/' in version else 'api'}/{version}/{_plural(kind)}" for version, kind in made}
    assert places - set(COLLECTIONS) == set()


def _plural(kind):
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def test_objects_are_where_the_api_has_them():
    """In a namespace or in none."""
    assert object_path("/apis/apps/v1/daemonsets", "a", "b") == "/apis/apps/v1/namespaces/a/daemonsets/b"
    assert object_path("/api/v1/pods", "a", "b") == "/api/v1/namespaces/a/pods/b"
    assert object_path(COLLECTIONS[0], "", "b") == f"{COLLECTIONS[0]}/b"


def test_what_makes_pods_goes_before_pods():
    """Else they come back."""
    order = {path.rpartition("/")[2]: at for at, path in enumerate(COLLECTIONS)}
    assert max(order[kind] for kind in ("daemonsets", "deployments", "jobs", "cronjobs")) < order["pods"]
    assert order["mutatingwebhookconfigurations"] == 0
