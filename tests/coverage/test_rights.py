"""From recorded calls to rights."""

import pytest

from apisnoop.coverage.rights import Right, names_from, needs_of, urls
from apisnoop.store import queries
from tests.coverage.recording import ALICE, WEB, Called, recorded


def needs(calls, catalogue, *, names=False, whole=True):
    """Give what the callers together need."""
    with recorded(calls, catalogue=catalogue) as store:
        connection = store.connection
        targets = {row.id: row for row in queries.targets(connection)}
        subjects = {row.id: "all" for row in queries.callers(connection)}
        known = names_from(queries.object_names(connection), whole=whole) if names else None
        return needs_of(queries.accesses(connection), targets, subjects, known)["all"]


@pytest.mark.parametrize(
    ("method", "url", "right"),
    [
        ("GET", "/api/v1/namespaces/shop/pods/a/log", Right("shop", "", "pods/log", "get")),
        ("GET", "/api/v1/pods?watch=1", Right("", "", "pods", "watch")),
        ("GET", "/api/v1/nodes/n", Right("", "", "nodes", "get")),
        ("POST", "/apis/apps/v1/namespaces/shop/deployments", Right("shop", "apps", "deployments", "create")),
        ("DELETE", "/api/v1/namespaces/shop/pods", Right("shop", "", "pods", "deletecollection")),
        ("GET", "/apis/example.com/v1/namespaces/shop/widgets/w", Right("shop", "example.com", "widgets", "get")),
        (
            "PUT",
            "/apis/apps/v1/namespaces/shop/deployments/w/scale",
            Right("shop", "apps", "deployments/scale", "update"),
        ),
        ("POST", "/api/v1/namespaces/shop/pods/a/eviction", Right("shop", "", "pods/eviction", "create")),
        ("GET", "/api/v1/namespaces/shop", Right("shop", "", "namespaces", "get")),
        ("GET", "/metrics", Right("", "", "", "get", "/metrics")),
        ("HEAD", "/livez", Right("", "", "", "head", "/livez")),
        ("GET", "/logs/a/b", Right("", "", "", "get", "/logs/*")),
    ],
)
def test_a_call_needs_what_the_server_asks_rbac_for(catalogue, method, url, right):
    """Group and resource are those of the path with its subresource, the verb is the server's own."""
    assert needs([Called(WEB, method, url)], catalogue).rights == {right}


@pytest.mark.parametrize("subresource", ["exec", "attach", "portforward"])
def test_an_upgraded_connection_needs_create_too(catalogue, subresource):
    """The audit log says get; a server from 1.35 on asks for create as well."""
    url = f"/api/v1/namespaces/shop/pods/a/{subresource}"
    found = needs([Called(WEB, "GET", url, 101)], catalogue).rights
    assert found == {Right("shop", "", f"pods/{subresource}", verb) for verb in ("get", "create")}


def test_a_refused_call_needs_nothing(catalogue):
    """What the server forbade was not needed; that there were such calls is told."""
    found = needs([Called(WEB, "GET", "/api/v1/secrets", 403, 5), Called(WEB, "GET", "/api/v1/pods", 404)], catalogue)
    assert found.rights == {Right("", "", "pods", "list")}
    assert found.refused == 5


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_update_that_created_needs_create_too(catalogue, method):
    """Server-side apply of something new is authorized as patch and, once more, as create."""
    url = "/apis/apps/v1/namespaces/shop/deployments/web"
    verb = "patch" if method == "PATCH" else "update"
    assert {r.verb for r in needs([Called(WEB, method, url, 201)], catalogue).rights} == {verb, "create"}
    assert {r.verb for r in needs([Called(WEB, method, url, 200)], catalogue).rights} == {verb}


def test_names_narrow_rights_to_the_objects_named(catalogue):
    """With names each object is a right of its own; creating has no name to narrow it by."""
    calls = [
        Called(WEB, "GET", "/api/v1/namespaces/shop/configmaps/a"),
        Called(WEB, "GET", "/api/v1/namespaces/shop/configmaps/b", 404),
        Called(WEB, "POST", "/api/v1/namespaces/shop/configmaps", 201),
    ]
    assert needs(calls, catalogue, names=True).rights == {
        Right("shop", "", "configmaps", "get", "", "a"),
        Right("shop", "", "configmaps", "get", "", "b"),
        Right("shop", "", "configmaps", "create"),
    }


def test_a_list_narrowed_to_one_object_stays_narrow_only_if_all_were(catalogue):
    """A watch by field selector needs its one object; a single call without the selector needs them all."""
    one = Called(WEB, "GET", "/api/v1/namespaces/shop/pods?watch=1&fieldSelector=metadata.name%3Dweb-1")
    every = Called(WEB, "GET", "/api/v1/namespaces/shop/pods?watch=1")
    assert needs([one], catalogue, names=True).rights == {Right("shop", "", "pods", "watch", "", "web-1")}
    assert needs([one, every], catalogue, names=True).rights == {Right("shop", "", "pods", "watch")}
    assert needs([one], catalogue, names=True, whole=False).rights == {Right("shop", "", "pods", "watch")}


def test_more_names_than_the_store_keeps_narrow_nothing(catalogue):
    """Where some names are not known the right is for all objects, or the program would break."""
    calls = [Called(WEB, "GET", f"/api/v1/namespaces/shop/pods/p{number}") for number in range(100)]
    assert needs(calls, catalogue, names=True).rights == {Right("shop", "", "pods", "get")}


def test_callers_that_are_no_subject_are_left_out(catalogue):
    """Only those asked for get rights."""
    with recorded([Called(ALICE, "GET", "/api/v1/pods")], catalogue=catalogue) as store:
        assert needs_of(queries.accesses(store.connection), {}, {}) == {}


@pytest.mark.parametrize(
    ("template", "allowed"),
    [
        ("/metrics", ("/metrics",)),
        ("/version/", ("/version", "/version/")),
        ("/logs/{logpath}", ("/logs/*",)),
        ("/", ("/",)),
        ("/debug/{name}/x", ("/debug/*",)),
    ],
)
def test_urls_are_what_rbac_can_compare(template, allowed):
    """RBAC compares paths as sent: a placeholder becomes a trailing star, an optional slash both spellings."""
    assert urls(template) == allowed


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/%zz", 400),
        ("*", 404),
        ("/\x00/x", 404),
        ("/nope/a", 404),
        ("/api/v1/namespaces/*/pods", 404),
        ("/apis/%zz/v1/things", 404),
        ("/api/v1/namespaces/shop/secrets/a/%00", 404),
    ],
)
def test_a_senseless_call_gives_no_right(catalogue, url, status):
    """A path that does not exist, or that no rule can name, must not widen a role; the calls are counted."""
    found = needs([Called(WEB, "GET", url, status, 3), Called(WEB, "GET", "/api/v1/pods")], catalogue)
    assert found.rights == {Right("", "", "pods", "list")}
    assert found.senseless == 3


NO_SUCH = "/api/v1/namespaces/nosuch"


@pytest.mark.parametrize("names", [False, True])
def test_a_namespace_that_was_not_found_gets_no_role_of_its_own(catalogue, names):
    """Asking for it again is allowed cluster-wide, for that one object; a role inside it could not be applied."""
    calls = [Called(WEB, "GET", NO_SUCH, 404, 2), Called(WEB, "POST", f"{NO_SUCH}/pods", 404)]
    found = needs(calls, catalogue, names=names)
    assert found.rights == {Right("", "", "namespaces", "get", "", "nosuch")}
    assert found.absent == {"nosuch"}


@pytest.mark.parametrize(
    "evidence",
    [
        Called(WEB, "GET", NO_SUCH, 200),
        Called(WEB, "POST", f"{NO_SUCH}/pods", 201),
        Called(WEB, "GET", f"{NO_SUCH}/pods", 200),
        Called(WEB, "GET", f"{NO_SUCH}/pods/web", 404),
    ],
)
def test_a_namespace_that_anything_else_shows_gets_its_role(catalogue, evidence):
    """A namespace may come and go: what was done in it while it was there needs a role in it, the looking too."""
    found = needs([Called(WEB, "GET", NO_SUCH, 404), evidence], catalogue)
    assert Right("nosuch", "", "namespaces", "get") in found.rights
    assert not found.absent


def test_a_refused_call_shows_no_namespace(catalogue):
    """The server refuses before it looks whether a namespace exists."""
    calls = [Called(WEB, "GET", NO_SUCH, 404), Called(WEB, "GET", f"{NO_SUCH}/pods", 403)]
    assert needs(calls, catalogue).rights == {Right("", "", "namespaces", "get", "", "nosuch")}


def test_an_answered_path_outside_every_catalogue_needs_a_right(catalogue):
    """What an aggregated server answers is needed, whether its documents are known or not."""
    found = needs([Called(WEB, "GET", "/custom/status", 200)], catalogue)
    assert {right.path for right in found.rights} <= {"/custom/status", "/custom/*"}
    assert found.rights
