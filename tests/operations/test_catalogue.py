"""The catalogue and its match, held against every operation of every shipped release."""

import re
from itertools import product
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.document import OperationObject, make_operation
from apisnoop.operations.match import Finding
from apisnoop.operations.operation import Operation
from apisnoop.operations.query import decode_percent
from apisnoop.operations.source import load_catalogue

RELEASES = ["1.30", "1.32", "1.34", "1.36"]
CONFUSING = [
    "proxy",
    "watch",
    "status",
    "metrics",
    "namespaces",
    "finalize",
    "pods",
    "v1",
    "apis",
    "{name}",
    "café ü",
    "a%b",
]
PLACEHOLDER = re.compile(r"\{(\w+)\}")
VERBS = {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "proxy", ""}


@pytest.fixture(scope="module", params=RELEASES)
def shipped(request: pytest.FixtureRequest) -> Catalogue:
    """The catalogue of each shipped release."""
    return load_catalogue(request.param)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """The catalogue of one release, for tests that need any."""
    return load_catalogue("1.34")


@pytest.mark.parametrize(
    ("release", "operations", "current"),
    [("1.30", 944, 769), ("1.32", 947, 770), ("1.34", 1062, 859), ("1.36", 1123, 908)],
)
def test_a_release_has_all_its_operations(release: str, operations: int, current: int) -> None:
    """The totals are those of the releases' own OpenAPI documents."""
    known = load_catalogue(release).operations
    assert len(known) == operations
    assert sum(not operation.deprecated for operation in known.values()) == current


def test_levels_come_from_versions() -> None:
    """Kubernetes 1.36 has 84 alpha, 158 beta, 637 stable operations and 29 without a version, which count as stable."""
    current = [operation for operation in load_catalogue("1.36").operations.values() if not operation.deprecated]
    counts = {level: sum(operation.level == level for operation in current) for level in ("alpha", "beta", "stable")}
    assert counts == {"alpha": 84, "beta": 158, "stable": 637 + 29}
    assert sum(not operation.version for operation in current) == 29


def test_only_legacy_watches_are_deprecated(shipped: Catalogue) -> None:
    """That is what Kubernetes' documents say, in their words if not in the field."""
    deprecated = {operation.path for operation in shipped.operations.values() if operation.deprecated}
    assert deprecated == {operation.path for operation in shipped.operations.values() if "/watch/" in operation.path}


@pytest.mark.parametrize("name", CONFUSING)
def test_a_filled_template_is_its_own_operation(shipped: Catalogue, name: str) -> None:
    """Objects may be called like parts of paths, be percent-encoded and end in a slash."""
    for operation in shipped.operations.values():
        for url in fill(operation, name):
            match = shipped.match(operation.method, url)
            assert match.operation is operation, url
            assert match.target is shipped.match(operation.method, url).target


def test_names_come_back_decoded(shipped: Catalogue) -> None:
    """Namespace and name are those in the path; a namespace is its own namespace, as the server has it."""
    for operation in shipped.operations.values():
        placeholders = PLACEHOLDER.findall(operation.path)
        url = PLACEHOLDER.sub(lambda found: f"the%2D{found[1]}", operation.path)
        match = shipped.match(operation.method, url)
        namespaced = "namespace" in placeholders or operation.resource == "namespaces"
        expected = "the-name" if operation.resource == "namespaces" else "the-namespace"
        if "name" in placeholders:
            assert match.name == "the-name", url
        assert match.namespace == (expected if namespaced and placeholders else ""), url


def test_verbs_agree_with_the_documents_actions(shipped: Catalogue) -> None:
    """Kubernetes tells the action of each operation; all but connect and the watches are the verb in other words."""
    words = {"post": "create", "put": "update", "watchlist": "watch"}
    for operation in shipped.operations.values():
        match = shipped.match(operation.method, fill(operation, "x")[0])
        if operation.action == "connect":
            assert match.detail.startswith(f"connect-{operation.subresource}")
        elif operation.action == "post" and operation.path.endswith("/eviction"):
            assert match.verb == "create"
        elif operation.action:
            assert match.verb == words.get(operation.action, operation.action), operation.path
        else:
            assert match.verb == operation.method.lower()


# Method, URL, operation, verb, detail, name; - stands for nothing.
ANSWERS = """
GET  /api/v1/pods?watch=true  listCoreV1PodForAllNamespaces  watch - -
GET  /api/v1/pods?limit=5&watch=true  listCoreV1PodForAllNamespaces  watch - -
GET  /api/v1/pods?watch=0&watch=true  listCoreV1PodForAllNamespaces  list - -
POST /api/v1/namespaces/n/pods?%64ryRun=All  createCoreV1NamespacedPod  create dry-run -
GET  /api/v1/pods?watch=0  listCoreV1PodForAllNamespaces  list - -
GET  /api/v1/pods?labelSelector=watch%3Dtrue  listCoreV1PodForAllNamespaces  list - -
GET  /api/v1/pods?labelSelector=watch&watch=true  listCoreV1PodForAllNamespaces  watch - -
GET  /api/v1/pods?%77atch=true  listCoreV1PodForAllNamespaces  watch - -
GET  /api/v1/pods?fieldSelector=metadata.name%3Da  listCoreV1PodForAllNamespaces  list - a
GET  /api/v1/nodes?watch=1&fieldSelector=metadata.name%3Da  listCoreV1Node  watch watch-by-field-selector a
GET  /api/v1/namespaces/n/pods/a?watch=true  readCoreV1NamespacedPod  get - a
GET  /api/v1/namespaces/n?watch=true  readCoreV1Namespace  get - n
GET  /api/v1/watch/pods?watch=0  watchCoreV1PodListForAllNamespaces  watch - -
GET  /api/v1/watch/namespaces/n/pods/a  watchCoreV1NamespacedPod  watch - a
POST /api/v1/namespaces/n/pods?dryRun=All  createCoreV1NamespacedPod  create dry-run -
POST /api/v1/namespaces/n/pods?dryRun=  createCoreV1NamespacedPod  create - -
DELETE /api/v1/namespaces/n/pods?dryRun=All  deleteCoreV1CollectionNamespacedPod  deletecollection dry-run -
PUT  /api/v1/namespaces/n/finalize  replaceCoreV1NamespaceFinalize  update - n
POST /api/v1/namespaces/n/pods/a/exec?command=x&dryRun=All  connectCoreV1PostNamespacedPodExec  create connect-exec a
GET  /api/v1/namespaces/n/pods/a/exec?watch=true  connectCoreV1GetNamespacedPodExec  get connect-exec a
GET  /api/v1/namespaces/n/pods/a/portforward  connectCoreV1GetNamespacedPodPortforward  get connect-portforward a
GET  /api/v1/namespaces/n/pods/a/attach  connectCoreV1GetNamespacedPodAttach  get connect-attach a
HEAD /api/v1/nodes/a/proxy/x  connectCoreV1HeadNodeProxyWithPath  get connect-proxy,head a
OPTIONS /api/v1/nodes/a/proxy  connectCoreV1OptionsNodeProxy  - connect-proxy,options a
GET  /api/v1/nodes/a/proxy/?watch=true  connectCoreV1GetNodeProxyWithPath  get connect-proxy a
GET  /api/v1/namespaces/n/pods/a%2Flog  readCoreV1NamespacedPodLog  get - a
GET  /api/v1/namespaces//pods  listCoreV1NamespacedPod  list - -
GET  /version?timeout=32s  getCodeVersion  get - -
GET  /logs/a/b.log  logFileHandler  get - -
"""


@pytest.mark.parametrize("answer", ANSWERS.strip().splitlines())
def test_verb_and_detail_of_an_operation(catalogue: Catalogue, answer: str) -> None:
    """The verb is what RBAC and audit logs have; the detail tells dry runs, connections, watches and methods apart."""
    method, url, *expected = answer.split()
    match = catalogue.match(method, url)
    assert match.operation is not None
    assert [part or "-" for part in (match.operation.id, match.verb, match.detail, match.name)] == expected


@pytest.mark.parametrize(
    ("content_type", "query", "detail"),
    [
        ("application/json-patch+json", "", "json-patch"),
        ("application/merge-patch+json", "", "merge-patch"),
        ("application/strategic-merge-patch+json", "?timeout=9s", "strategic-merge-patch"),
        ("application/apply-patch+yaml", "?fieldManager=helm&force=true", "apply"),
        ("application/apply-patch+cbor", "", "apply"),
        ("application/apply-patch+yaml; charset=utf-8", "?dryRun=All", "apply,dry-run"),
        ("text/plain", "?dryRun=All", "dry-run"),
        ("", "", ""),
    ],
)
@pytest.mark.parametrize(
    "path", ["/api/v1/nodes/a/status", "/apis/apps/v1/namespaces/n/deployments/a", "/apis/x.io/v1/as/a"]
)
def test_patches_are_told_apart(catalogue: Catalogue, path: str, content_type: str, query: str, detail: str) -> None:
    """The content type says which kind of patch it is, for known and unknown resources alike."""
    match = catalogue.match("PATCH", path + query, content_type)
    assert (match.verb, match.detail, match.name) == ("patch", detail, "a")


def test_both_kind_and_resource_are_known(catalogue: Catalogue) -> None:
    """RBAC needs the path's group and resource, which for a scale differ from group and kind of its object."""
    match = catalogue.match("GET", "/apis/apps/v1/namespaces/n/deployments/web/scale")
    assert (match.group, match.version, match.resource, match.subresource) == ("apps", "v1", "deployments", "scale")
    assert match.operation is not None
    assert (match.operation.kind_group, match.operation.kind_version, match.operation.kind) == (
        "autoscaling",
        "v1",
        "Scale",
    )
    assert match.template == match.operation.path
    assert (match.finding, match.reason, match.method) == (None, "", "GET")


@pytest.mark.parametrize(
    ("verb", "uri", "operation"),
    [
        ("list", "/api/v1/pods?limit=500", "listCoreV1PodForAllNamespaces"),
        ("watch", "/api/v1/pods?watch=true", "listCoreV1PodForAllNamespaces"),
        ("watch", "/api/v1/watch/pods", "watchCoreV1PodListForAllNamespaces"),
        ("create", "/api/v1/namespaces/n/pods/a/exec?command=ls", "connectCoreV1PostNamespacedPodExec"),
        ("get", "/api/v1/namespaces/n/pods/a/exec?command=ls", "connectCoreV1GetNamespacedPodExec"),
        ("update", "/api/v1/nodes/a", "replaceCoreV1Node"),
        ("patch", "/api/v1/nodes/a", "patchCoreV1Node"),
        ("delete", "/api/v1/nodes/a", "deleteCoreV1Node"),
        ("deletecollection", "/api/v1/nodes", "deleteCoreV1CollectionNode"),
        ("", "/api/v1/nodes/a/proxy", "connectCoreV1OptionsNodeProxy"),
        ("get", "/version", "getCodeVersion"),
    ],
)
def test_an_audit_events_verb_stands_for_the_method(catalogue: Catalogue, verb: str, uri: str, operation: str) -> None:
    """Audit logs have no method, but each verb has one; the match has the event's verb again."""
    match = catalogue.match_audit(verb, uri)
    assert match.operation is not None
    assert (match.operation.id, match.verb) == (operation, verb)


@pytest.mark.parametrize(
    ("verb", "uri"), [("proxy", "/api/v1/proxy/nodes/n/x"), ("post", "/healthz"), ("head", "/foo")]
)
def test_an_audit_event_may_be_a_finding(catalogue: Catalogue, verb: str, uri: str) -> None:
    """Legacy prefixes and other paths keep their verbs, too."""
    match = catalogue.match_audit(verb, uri)
    assert match.finding is not None
    assert match.verb == verb


def test_equal_facts_give_equal_digests(catalogue: Catalogue) -> None:
    """The digest tells catalogues apart, not where they came from or in which order."""
    again = Catalogue(reversed(catalogue.operations.values()), release="", source="elsewhere")
    assert again.digest == catalogue.digest
    assert load_catalogue("1.36").digest != catalogue.digest


def test_templates_that_differ_in_names_only_are_one() -> None:
    """Documents of one API may call a placeholder differently for different methods."""
    operations = [operation_of("GET", "/apis/g/v1/things/{name}"), operation_of("PUT", "/apis/g/v1/things/{thing}")]
    catalogue = Catalogue(operations, release="", source="test")
    assert [catalogue.match(one.method, "/apis/g/v1/things/x").operation for one in operations] == operations


def test_a_template_may_leave_the_resource_open() -> None:
    """An API of metrics serves any resource by one operation; RBAC wants the one that was asked for."""
    operation = operation_of("GET", "/apis/m/v1/namespaces/{namespace}/{resource}/{name}/{metric}")
    catalogue = Catalogue([operation], release="", source="test")
    match = catalogue.match("GET", "/apis/m/v1/namespaces/n/pods/web/cpu")
    assert match.operation == operation
    assert (match.group, match.resource, match.subresource, match.namespace, match.name) == (
        "m",
        "pods",
        "cpu",
        "n",
        "web",
    )
    assert catalogue.match("GET", "/apis/m/v1/namespaces/n/pods/db/cpu").target is match.target
    assert catalogue.match("GET", "/apis/m/v1/namespaces/n/services/db/cpu").resource == "services"


def test_a_resource_called_status_is_read_as_the_server_reads_it() -> None:
    """The server takes `status` after a namespace for a subresource of the namespace, whatever the document means."""
    operation = operation_of("GET", "/apis/g/v1/namespaces/{namespace}/status/{name}")
    match = Catalogue([operation], release="", source="test").match("GET", "/apis/g/v1/namespaces/n/status/x")
    assert match.operation == operation
    assert (match.resource, match.subresource, match.name) == ("namespaces", "status", "n")


@given(
    release=st.sampled_from(RELEASES),
    index=st.integers(0, 2000),
    names=st.lists(st.sampled_from([*CONFUSING, "", "a/b", "%zz", "a"]), min_size=2, max_size=2),
    query=st.sampled_from(
        ["", "watch=1", "dryRun=All", "fieldSelector=metadata.name%3Dx&watch=true", "%77atch", "x=%"]
    ),
    method=st.sampled_from(["GET", "POST", "PATCH", "HEAD", "DELETE", "FOO"]),
    end=st.sampled_from(["", "/", "//", "/x"]),
)
def test_the_tables_agree_with_the_trie(
    release: str, index: int, names: list[str], query: str, method: str, end: str
) -> None:
    """The hot path's tables only save time: the trie alone gives the same answer."""
    catalogue = CATALOGUES[release]
    templates = list(catalogue.operations.values())
    path = templates[index % len(templates)].path.rstrip("/")
    for name in names:
        path = PLACEHOLDER.sub(lambda _, name=name: name, path, count=1)
    url = f"{path}{end}?{query}"
    quick = catalogue.match(method, url, "application/json-patch+json")
    slow = catalogue._match_slowly(method, path + end, query, "application/json-patch+json")
    assert quick == slow, url


@given(st.text(), st.text(), st.text())
def test_any_request_gets_an_answer(method: str, url: str, content_type: str) -> None:
    """Whatever comes, exactly one of operation and finding is set, and what is kept of it is bounded."""
    match = CATALOGUES["1.34"].match(method, url, content_type)
    assert (match.operation is None) is (match.finding is not None)
    assert match.verb in VERBS or match.verb == method.lower()[: len(match.verb)]
    assert len(match.template) < 2000
    assert match.template.isprintable()


@given(
    st.lists(st.sampled_from(["api", "apis", "v1", "namespaces", "watch", "proxy", "pods", "x", "", "%2F", "?", "é"]))
)
def test_any_path_of_known_words_gets_an_answer(words: list[str]) -> None:
    """The same for paths that look like the API's."""
    match = CATALOGUES["1.34"].match("GET", "/" + "/".join(words))
    assert match.verb in VERBS
    assert match.finding is not Finding.METHOD_NOT_ALLOWED or match.template in TEMPLATES


@pytest.mark.parametrize(
    "url", ["/" + "a" * 65_536, "/" + "a/" * 32_768, "/api/v1/pods/" + "%41" * 20_000, "/api/v1/pods?" + "a&" * 32_768]
)
def test_a_very_long_url_is_answered(catalogue: Catalogue, url: str) -> None:
    """64 KB are no trouble, and do not come back as a template."""
    match = catalogue.match("GET", url)
    assert len(match.template) < 100


def fill(operation: Operation, name: str) -> list[str]:
    """URLs that ask for an operation: placeholders filled, plain and encoded, with and without a slash at the end."""
    plain = name if decode_percent(name) == name and "{" not in name else quote(name, safe="")
    encoded = "".join(f"%{byte:02x}" for byte in name.encode())
    tails = ["a", "a/b//c", f"{plain}/{plain}"] if operation.path.endswith(("{path}", "{logpath}")) else [""]
    urls = []
    for written, tail in product([plain, encoded], tails):
        values = {"path": tail, "logpath": tail, "namespace": written, "name": written}
        path = operation.path.format_map(values)
        urls.append(path)
        if not operation.path.endswith("/proxy"):  # there a slash begins the path that is proxied to
            urls += [path.rstrip("/"), path.rstrip("/") + "/"]
    return urls


def operation_of(method: str, path: str) -> Operation:
    """An operation of no document."""
    return make_operation(method, path, OperationObject(id=f"{method}{path}"))


CATALOGUES = {release: load_catalogue(release) for release in RELEASES}
TEMPLATES = {operation.path for operation in CATALOGUES["1.34"].operations.values()}
