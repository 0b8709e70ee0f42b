"""Roles as manifests."""

import yaml

from apisnoop.coverage.access import Subject, access_of
from apisnoop.reports.rbac import render_yaml, role_name
from tests.coverage.recording import NINE, WEB, Called, recorded
from tests.reports.conftest import HOSTILE, settled
from tests.reports.golden import compare

CALLS = (
    Called(WEB, "GET", "/api/v1/namespaces/shop/pods?watch=1"),
    Called(WEB, "GET", "/api/v1/namespaces/shop/pods"),
    Called(WEB, "GET", "/api/v1/namespaces/shop/configmaps/settings"),
    Called(WEB, "GET", "/api/v1/namespaces/shop/pods/web-1/log"),
    Called(WEB, "GET", "/api/v1/namespaces/other/pods"),
    Called(WEB, "GET", "/api/v1/nodes"),
    Called(WEB, "GET", "/metrics"),
    Called(WEB, "GET", "/version"),
    Called(WEB, "PATCH", "/apis/apps/v1/namespaces/shop/deployments/web", 201),
    Called(WEB, "GET", "/api/v1/secrets", 403),
)


def manifests(calls, catalogue, **options):
    with recorded(calls, catalogue=catalogue) as store:
        return settled(access_of(store, now=NINE, **options))


def test_manifests_look_as_they_did(request, catalogue):
    """The whole stream is as it was when somebody last looked at it."""
    compare(request, "rbac.yaml", render_yaml(manifests(CALLS, catalogue)))


def test_manifests_with_names_look_as_they_did(request, catalogue):
    """With resource names each rule is for the objects that were named."""
    compare(request, "rbac-names.yaml", render_yaml(manifests(CALLS, catalogue, resource_names=True)))


def test_every_role_is_bound_to_its_subject(catalogue):
    """Each role has one binding of its own kind, name and namespace, to the service account that needs it."""
    documents = [found for found in yaml.safe_load_all(render_yaml(manifests(CALLS, catalogue))) if found]
    roles = [(d["kind"], d["metadata"].get("namespace")) for d in documents if "rules" in d]
    bindings = [(d["roleRef"]["kind"], d["metadata"].get("namespace")) for d in documents if "roleRef" in d]
    assert roles == bindings == [("ClusterRole", None), ("Role", "other"), ("Role", "shop")]
    for binding in (d for d in documents if "roleRef" in d):
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "web", "namespace": "shop"}]
        assert binding["roleRef"]["name"] == binding["metadata"]["name"] == "apisnoop:shop:web"


def test_hostile_names_stay_values_and_comments(catalogue):
    """Whatever a user calls itself, the stream has only manifests of our own making in it."""
    agent = type(WEB)(user=HOSTILE + "\n---\nkind: Evil")
    text = render_yaml(manifests([Called(agent, "GET", "/api/v1/pods")], catalogue, users=True))
    documents = [found for found in yaml.safe_load_all(text) if found]
    assert [found["kind"] for found in documents] == ["ClusterRole", "ClusterRoleBinding"]
    assert documents[1]["subjects"][0]["name"] == agent.user


def test_an_empty_store_is_no_role(catalogue):
    """Nothing recorded gives comments only, the first of which says so."""
    text = render_yaml(manifests([], catalogue))
    assert text.startswith("# No calls are recorded")
    assert list(yaml.safe_load_all(text)) in ([], [None])


def test_a_name_with_a_slash_still_names_a_role():
    """Users may be called anything, a role's name is a path segment."""
    assert role_name(Subject("User", "", "https://issuer/100%")) == "apisnoop:user:https:--issuer-100-"
