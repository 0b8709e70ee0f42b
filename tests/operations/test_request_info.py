"""Which parts of a path say what, and the verb that follows; a live server confirms it in test_verbs_on_cluster.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.operations.request_info import locate, split_path, verb_of


@pytest.mark.parametrize(
    ("path", "group", "version", "namespace", "resource", "name", "subresource"),
    [
        ("/api/v1/pods", "", "v1", "", "pods", "", ""),
        ("/api/v1/pods/", "", "v1", "", "pods", "", ""),
        ("/api/v1/namespaces", "", "v1", "", "namespaces", "", ""),
        ("/api/v1/namespaces/shop", "", "v1", "shop", "namespaces", "shop", ""),
        ("/api/v1/namespaces/shop/status", "", "v1", "shop", "namespaces", "shop", "status"),
        ("/api/v1/namespaces/shop/finalize", "", "v1", "shop", "namespaces", "shop", "finalize"),
        ("/api/v1/namespaces/shop/pods", "", "v1", "shop", "pods", "", ""),
        ("/api/v1/namespaces/status/pods/status", "", "v1", "status", "pods", "status", ""),
        ("/api/v1/namespaces/shop/pods/web/log", "", "v1", "shop", "pods", "web", "log"),
        ("/api/v1/namespaces/shop/services/web/proxy/a/b", "", "v1", "shop", "services", "web", "proxy"),
        ("/api/v1/nodes/n/proxy/metrics", "", "v1", "", "nodes", "n", "proxy"),
        ("/apis/apps/v1/namespaces/shop/deployments/web/scale", "apps", "v1", "shop", "deployments", "web", "scale"),
        (
            "/apis/namespaces/v1/namespaces/namespaces/namespaces",
            "namespaces",
            "v1",
            "namespaces",
            "namespaces",
            "",
            "",
        ),
        ("/api/v1/watch/pods", "", "v1", "", "pods", "", ""),
        ("/api/v1/watch/namespaces/shop/pods/web", "", "v1", "shop", "pods", "web", ""),
        ("/api/v1/proxy/nodes/n/a/b", "", "v1", "", "nodes", "n", ""),
        ("/api/v1//pods", "", "v1", "", "", "pods", ""),
        ("/api/v1/namespaces//pods", "", "v1", "", "pods", "", ""),
    ],
)
def test_a_resource_path_has_coordinates(
    path: str, group: str, version: str, namespace: str, resource: str, name: str, subresource: str
) -> None:
    """Positions follow the server's own reading, also where objects are called like parts of a path."""
    parts = split_path(path)
    place = locate(parts)
    assert place is not None
    at = (place.group, place.version, place.namespace, place.resource, place.name, place.subresource)
    assert [parts[index] for index in at] == [group, version, namespace, resource, name, subresource]


@pytest.mark.parametrize(
    "path",
    ["/", "", "/healthz", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/a/b/c/d", "/api/v1/watch"],
)
def test_other_paths_are_not_about_a_resource(path: str) -> None:
    """Discovery, health and paths too short for a resource have no coordinates."""
    assert locate(split_path(path)) is None


@pytest.mark.parametrize(
    ("method", "path", "named", "watch", "verb"),
    [
        ("GET", "/api/v1/pods", False, False, "list"),
        ("HEAD", "/api/v1/pods", False, False, "list"),
        ("GET", "/api/v1/pods", False, True, "watch"),
        ("GET", "/api/v1/nodes/n", True, True, "get"),
        ("HEAD", "/api/v1/nodes/n", True, False, "get"),
        ("POST", "/api/v1/pods", False, True, "create"),
        ("PUT", "/api/v1/nodes/n", True, False, "update"),
        ("PATCH", "/api/v1/nodes/n", True, False, "patch"),
        ("DELETE", "/api/v1/nodes/n", True, False, "delete"),
        ("DELETE", "/api/v1/nodes", False, False, "deletecollection"),
        ("OPTIONS", "/api/v1/nodes", False, False, ""),
        ("get", "/api/v1/nodes", False, False, ""),
        ("POST", "/api/v1/watch/nodes", False, False, "watch"),
        ("DELETE", "/api/v1/proxy/nodes/n", True, False, "proxy"),
        ("HEAD", "/healthz", False, False, "head"),
        ("FOO", "/healthz", False, False, "foo"),
    ],
)
def test_the_verb_is_the_servers(method: str, path: str, named: bool, watch: bool, verb: str) -> None:
    """Method, name and watch decide; legacy prefixes are verbs of their own; other paths have the method."""
    assert verb_of(method, locate(split_path(path)), named=named, watch=watch) == verb


@given(st.text(alphabet="/apisvwtchroxy1nmek{}é\x00"))
def test_positions_are_within_the_path(path: str) -> None:
    """No path leads outside its own parts."""
    parts = split_path(path)
    place = locate(parts)
    if place is not None:
        at = (place.group, place.version, place.namespace, place.resource, place.name, place.subresource)
        assert max(at) < len(parts)
