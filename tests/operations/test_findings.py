"""Requests that are no operation: their class, coordinates, template and reason."""

import pytest

from apisnoop.operations import findings
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.match import Finding
from apisnoop.operations.source import load_catalogue


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Kubernetes 1.34."""
    return load_catalogue("1.34")


@pytest.mark.parametrize(
    ("url", "finding", "template"),
    [
        ("/", "not-api", "/"),
        ("/healthz", "not-api", "/healthz"),
        ("/healthz/etcd", "not-api", "/healthz/{path}"),
        ("/livez/poststarthook/x?verbose", "not-api", "/livez/{path}"),
        ("/readyz", "not-api", "/readyz"),
        ("/metrics", "not-api", "/metrics"),
        ("/openapi/v2", "not-api", "/openapi/v2"),
        ("/openapi/v3", "not-api", "/openapi/v3"),
        ("/openapi/v3/apis/apps/v1?hash=1", "not-api", "/openapi/v3/{path}"),
        ("/debug/pprof/heap", "not-api", "/debug/{path}"),
        ("/configz", "not-api", "/configz"),
        ("/foo", "unknown-path", "/foo"),
        ("/foo/bar/baz", "unknown-path", "/foo/{path}"),
        ("/a%20b/c", "unknown-path", "/{unreadable}/{path}"),
        ("/%zz", "unknown-path", "{unreadable}"),
        ("/api/v1/watch", "unknown-path", "/api/{path}"),
        ("/api/v1/gadgets", "unknown-path", "/api/v1/gadgets"),
        ("/api/v1/namespaces/n/gadgets/a", "unknown-path", "/api/v1/namespaces/{namespace}/gadgets/{name}"),
        ("/api/v1/namespaces/n/pods/a/b/c/d", "unknown-path", "/api/v1/namespaces/{namespace}/pods/{name}/b/{path}"),
        ("/api/v1/namespaces/n/pods//log", "unknown-path", "/api/v1/namespaces/{namespace}/pods/{name}/log"),
        ("/api/v1/namespaces/n/status/x/y", "unknown-path", "/api/v1/namespaces/{name}/status/{path}"),
        ("/api/v2", "unknown-group-version", "/api/v2"),
        ("/api/v2/pods", "unknown-group-version", "/api/v2/pods"),
        ("/apis/shop.example.com", "unknown-group-version", "/apis/shop.example.com"),
        ("/apis/shop.example.com/v1", "unknown-group-version", "/apis/shop.example.com/v1"),
        (
            "/apis/shop.example.com/v1/namespaces/n/widgets/a/status",
            "unknown-group-version",
            "/apis/shop.example.com/v1/namespaces/{namespace}/widgets/{name}/status",
        ),
        ("/apis/a%0Ab/v1/things", "unknown-group-version", "/apis/{unreadable}/v1/things"),
        ("/apis/extensions/v1beta1/ingresses", "removed", "/apis/extensions/v1beta1/ingresses"),
        ("/apis/policy/v1beta1", "removed", "/apis/policy/v1beta1"),
        ("/api/v1/proxy/nodes/a/x/y", "removed", "/api/v1/proxy/nodes/{name}/{path}"),
        ("/api/v1/proxy/nodes/a", "removed", "/api/v1/proxy/nodes/{name}"),
    ],
)
def test_a_finding_has_a_class_and_a_template(catalogue: Catalogue, url: str, finding: str, template: str) -> None:
    """Names are replaced; what no group or resource is called is not repeated."""
    match = catalogue.match("GET", url)
    assert (match.finding, match.template) == (finding, template)
    assert match.reason


@pytest.mark.parametrize(
    ("release", "url", "reason"),
    [
        ("1.34", "/apis/batch/v1beta1/cronjobs", "cronjobs of batch/v1beta1: removed in 1.25; use batch/v1"),
        ("1.34", "/apis/batch/v1beta1", "batch/v1beta1: removed in 1.25; use batch/v1"),
        (
            "1.34",
            "/apis/policy/v1beta1/podsecuritypolicies/a",
            "podsecuritypolicies of policy/v1beta1: removed in 1.25; use Pod Security Admission",
        ),
        (
            "1.34",
            "/apis/extensions/v1beta1/namespaces/n/deployments/a/scale",
            "deployments/scale of extensions/v1beta1: removed in 1.16; use apps/v1",
        ),
        (
            "1.32",
            "/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas",
            "flowschemas of flowcontrol.apiserver.k8s.io/v1beta3: removed in 1.32; use flowcontrol.apiserver.k8s.io/v1",
        ),
        (
            "1.36",
            "/apis/networking.k8s.io/v1alpha1/servicecidrs",
            "servicecidrs of networking.k8s.io/v1alpha1: last in 1.30, gone by 1.32; use networking.k8s.io/v1",
        ),
        (
            "1.36",
            "/apis/resource.k8s.io/v1alpha2/podschedulingcontexts",
            "podschedulingcontexts of resource.k8s.io/v1alpha2: last in 1.30, gone by 1.32; nothing replaces it",
        ),
        (
            "1.30",
            "/apis/scheduling.k8s.io/v1alpha2/workloads",
            "scheduling.k8s.io/v1alpha2 is unknown to Kubernetes 1.30; it came later, 1.36 has it",
        ),
        (
            "1.30",
            "/api/v1/namespaces/n/pods/a/resize",
            "pods/resize of v1 is unknown to Kubernetes 1.30; it came later, 1.32 has it",
        ),
        ("1.34", "/apis/apps/v3/deployments", "apps/v3 is unknown to Kubernetes 1.34; apps has v1"),
        ("1.34", "/api/v2/pods", "v2 is unknown to Kubernetes 1.34; the core group has v1"),
        ("1.34", "/apis/x.io", "group x.io is unknown to Kubernetes 1.34"),
        ("1.34", "/apis/x.io/v1/as", "x.io/v1 is unknown to Kubernetes 1.34"),
        ("1.34", "/foo", "Kubernetes 1.34 has no such path"),
        ("1.34", "/livez", "a health check, served beside the API"),
        ("1.34", "/api/v1/namespaces/n/pods//log", "the name is empty"),
        ("1.34", "/api/v1/%zz", "its percent-encoding is broken; the server answers 400"),
    ],
)
def test_a_reason_says_what_to_do(release: str, url: str, reason: str) -> None:
    """Removed when, replaced by what; not there yet; or which versions there are."""
    assert load_catalogue(release).match("GET", url).reason == reason


@pytest.mark.parametrize("release", ["1.30", "1.32", "1.34", "1.36"])
def test_what_a_release_has_is_not_removed(release: str) -> None:
    """Everything another release has is an operation, removed, or not there yet: never a mistake of the caller."""
    catalogue = load_catalogue(release)
    for other in ("1.30", "1.32", "1.34", "1.36"):
        for operation in load_catalogue(other).operations.values():
            match = catalogue.match(operation.method, operation.path.replace("{", "").replace("}", ""))
            if match.finding is Finding.REMOVED:
                assert other < release, operation.path
            elif match.finding is not None:
                assert "it came later" in match.reason, (operation.path, match.reason)
                assert other > release


def test_what_a_cluster_has_turned_off_is_not_removed() -> None:
    """A live cluster serves less than its release can, mostly no alpha; the reason says so."""
    stable = [operation for operation in load_catalogue("1.36").operations.values() if operation.level == "stable"]
    cluster = Catalogue(stable, release="1.36", source="cluster")
    match = cluster.match("GET", "/apis/resource.k8s.io/v1alpha3/devicetaintrules")
    assert match.finding is Finding.UNKNOWN_GROUP_VERSION
    assert match.reason == "resource.k8s.io/v1alpha3 is unknown to Kubernetes 1.36 as served here; it may be turned off"


def test_a_catalogue_without_a_release_knows_removals_too() -> None:
    """A file need not say which release it is from; what was removed by any is told."""
    some = list(load_catalogue("1.36").operations.values())[:50]
    catalogue = Catalogue(some, release="", source="file")
    assert catalogue.match("GET", "/apis/batch/v1beta1/cronjobs").finding is Finding.REMOVED
    assert catalogue.match("GET", "/apis/batch/v1/jobs").reason == "batch/v1 is unknown; Kubernetes 1.36 has it"
    assert catalogue.match("GET", "/foo").reason == "no operation has this path"


@pytest.mark.parametrize(
    ("method", "url", "verb", "detail", "reason"),
    [
        ("DELETE", "/api/v1/pods", "deletecollection", "", "the path allows GET"),
        ("HEAD", "/api/v1/pods?watch=1", "watch", "head", "the path allows GET"),
        ("OPTIONS", "/api/v1/nodes/a", "", "options", "the path allows DELETE, GET, PATCH, PUT"),
        ("PUT", "/api/v1/namespaces/n/pods?dryRun=All", "update", "dry-run", "the path allows DELETE, GET, POST"),
        ("POST", "/version", "post", "", "the path allows GET"),
        ("POST", "/api/v1/watch/pods", "watch", "", "the path allows GET"),
        ("FOO", "/api/v1/nodes/a", "", "", "the path allows DELETE, GET, PATCH, PUT"),
    ],
)
def test_a_method_that_is_not_allowed(
    catalogue: Catalogue, method: str, url: str, verb: str, detail: str, reason: str
) -> None:
    """The path is known, so the reason says which methods it allows; verb and detail are there all the same."""
    match = catalogue.match(method, url)
    assert match.finding is Finding.METHOD_NOT_ALLOWED
    assert (match.verb, match.detail, match.reason) == (verb, detail, reason)
    assert match.method == (method if method != "FOO" else "OTHER")


def test_an_unknown_resource_has_coordinates(catalogue: Catalogue) -> None:
    """RBAC rules can be written for custom resources that the catalogue does not know."""
    match = catalogue.match(
        "GET", "/apis/shop.example.com/v1/namespaces/n/widgets?fieldSelector=metadata.name%3Da&watch=1"
    )
    assert (match.group, match.version, match.resource, match.subresource) == ("shop.example.com", "v1", "widgets", "")
    assert (match.verb, match.detail, match.namespace, match.name) == ("watch", "watch-by-field-selector", "n", "a")


def test_the_next_of_a_kind_shares_its_target(catalogue: Catalogue) -> None:
    """So that tallies of custom resources are as cheap as others."""
    first, second = (catalogue.match("GET", f"/apis/x.io/v1/namespaces/{name}/as/{name}") for name in "ab")
    assert first.target is second.target
    assert first.name != second.name


@pytest.mark.parametrize(
    ("method", "urls"),
    [
        ("GET", ["/apis/x.io/v1/as/a/log", "/apis/x.io/v1/as//log", "/apis/x.io/v1/as/a/log/more", "/apis/x.io/v1/as"]),
        ("POST", ["/api/v1/pods", "//api/v1/pods"]),
        ("FOO", ["/api/v1/nodes/n/proxy", "/api/v1/nodes/n/proxy/", "/api/v1/nodes/n/proxy/x"]),
        (
            "GET",
            ["/apis/x.io/v1/watch/as", "/apis/x.io/v1/proxy/as", "/apis/x.io/v1/as", "/apis/x.io/v1/namespaces/n/as"],
        ),
    ],
)
def test_what_is_remembered_of_one_is_not_told_of_another(method: str, urls: list[str]) -> None:
    """Requests that look alike give the same answers after one another as alone."""
    alone = [load_catalogue("1.34").match(method, url) for url in urls]
    catalogue = load_catalogue("1.34")
    for _ in range(2):
        assert [catalogue.match(method, url) for url in urls] == alone


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests for ever new resources do not make the catalogue grow; very long ones are not remembered at all."""
    monkeypatch.setattr(findings, "KEPT", 10)
    catalogue = load_catalogue("1.34")
    kept = catalogue._findings._kept
    for number in range(35):
        catalogue.match("GET", f"/apis/x{number}.io/v1/as")
        assert len(kept) <= 10
    assert len(kept) == 5
    catalogue.match("GET", f"/apis/{'x' * 5000}/v1/as")
    assert len(kept) == 5


def test_a_made_up_method_is_bounded(catalogue: Catalogue) -> None:
    """What a caller makes up is neither a method of ours nor a verb without end."""
    match = catalogue.match("X" * 5000, "/foo")
    assert match.method == "OTHER"
    assert len(match.verb) <= findings.LONGEST_VERB
