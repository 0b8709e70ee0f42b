"""The API server's own audit log says what each request was; the match must say the same.

The user has no rights: what a request means is decided before it is refused, so nothing is changed.
"""

import http.client
import json
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.match import Finding, Match
from cluster import ApiServer

pytestmark = pytest.mark.cluster


def words_of(text: str) -> list[str]:
    """Split a table of words."""
    return text.split()


METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO", "get"]
PATHS = words_of("""
/api/v1/pods /api/v1/pods/ /api/v1/pods// //api/v1/pods /api//v1/pods /api/v1//pods /api/v1/./pods /%61pi/v1/pods
/api/v1/namespaces /api/v1/namespaces/x /api/v1/namespaces/x/pods /api/v1/namespaces//pods /api/v1/namespaces/x//y
/api/v1/namespaces/x/pods/y /api/v1/namespaces/x/pods/y/ /api/v1/namespaces/x/pods//log
/api/v1/namespaces/x/pods/a%2Flog /api/v1/namespaces/x/pods/a%20b /api/v1/namespaces/x/pods/a%00b
/api/v1/namespaces/x/pods/caf%C3%A9 /api/v1/namespaces/x/pods/a+b /api/v1/namespaces/x/pods/a;b
/api/v1/namespaces/x/pods/y?watch=true /api/v1/namespaces/x/pods/y/exec?command=ls /api/v1/namespaces/x/pods/y/a/b/c
/api/v1/namespaces/x/status/y /api/v1/namespaces/x/finalize/y/z /api/v1/nodes/n/proxy /api/v1/nodes/n/proxy/
/api/v1/nodes/n/proxy/a//b/ /api/v1/namespaces/x/services/https:s:p/proxy/watch /api/v1/watch/pods
/api/v1/watch/pods?watch=0 /api/v1/watch/namespaces/x/pods/y /api/v1/proxy/nodes/n/a/b
/api/v1/proxy/namespaces/x/pods/y/a /apis/apps/v1/namespaces/x/deployments/y/scale
/apis/foo.example.com/v1/namespaces/x/bars/z /apis/apps/v1 /apis/apps/v2 /apis/apps /apis /api /api/v1 /api/v2 /
/version /healthz /livez/ping /openapi/v3 /foo /logs/a/b /.well-known/x
""")
CONFUSING = ["proxy", "watch", "status", "metrics", "namespaces", "finalize"]
TEMPLATES = words_of("""
/api/v1/namespaces/{0}/pods/{0} /api/v1/namespaces/{0} /api/v1/namespaces/{0}/status
/api/v1/namespaces/{0}/pods/{0}/log /api/v1/nodes/{0} /api/v1/nodes/{0}/status
/apis/rbac.authorization.k8s.io/v1/clusterroles/{0} /api/v1/{0}/{0} /apis/apps/v1/namespaces/{0}/deployments/{0}/scale
/api/v1/{0}/{0}/{0} /apis/{0}/{0}/{0}/{0} /apis/{0}/{0} /{0}
""")
QUERIES = words_of("""
watch=true watch watch= watch=0 watch=false watch=FALSE watch=no watch=1&watch=0 watch=0&watch=1 %77atch=1 watch=%30
watch=1;a=b watch=%zz a=%zz&watch=1 Watch=1 watch=1&limit=abc allowWatchBookmarks=true dryRun=All
fieldSelector=metadata.name%3Dfoo&watch=true fieldSelector=metadata.name=foo fieldSelector=metadata.name==foo
fieldSelector=metadata.name!=foo fieldSelector=metadata.name%3Dfoo&limit=abc fieldSelector=metadata.name%3Dfoo&limit=5
fieldSelector=metadata.name%3Dfoo&timeoutSeconds= fieldSelector=metadata.name%3Dfoo,spec.nodeName%3Dbar
fieldSelector=spec.nodeName%3Dbar,metadata.name%3Dfoo fieldSelector=metadata.name%3Dfoo,bad
fieldSelector=metadata.name%3Dfoo,metadata.name%3Dbar
fieldSelector=metadata.name%3D.. fieldSelector=metadata.name%3Da/b fieldSelector=metadata.name%3Da\\,b
fieldSelector=metadata.name%3Da\\x fieldSelector=metadata.name%3D field%53elector=metadata.name%3Dfoo
fieldSelector=metadata.name%3Dfoo+bar fieldSelector=metadata.name%3Dfoo&fieldSelector=metadata.name%3Dbar
limit=1&fieldSelector=metadata.name%3Dfoo&limit=x limit=%2B5&fieldSelector=metadata.name%3Dfoo
limit=9223372036854775808&fieldSelector=metadata.name%3Dfoo
""")
REQUESTS = [
    *((method, path) for method in METHODS for path in PATHS),
    *(("GET", template.format(name)) for template in TEMPLATES for name in CONFUSING),
    *((method, f"/api/v1/namespaces/x/pods?{query}") for method in ("GET", "DELETE") for query in QUERIES),
]
REFUSED = [
    ("GET", "/api/v1/watch"),
    ("GET", "/apis/apps/v1/proxy"),
    ("GET", "/api/v1/pods/%zz"),
    ("GET", "/api/v1/pods/%2"),
]
"""Answered before the server's request info or audit."""


@pytest.fixture
def ask(api_server: ApiServer) -> Iterator[Any]:
    """Send requests as a user of a group, all over one connection; gives status, audit id and body."""
    connections: dict[str, http.client.HTTPSConnection] = {}

    def send(method: str, url: str, group: str = "") -> tuple[int, str, bytes]:
        if group not in connections:
            made = api_server.client_certificate(f"asker-{group or 'nobody'}", [group] if group else [])
            context = ssl.create_default_context(cafile=str(api_server.ca_file))
            context.load_cert_chain(made.certificate, made.key)
            address = urlsplit(api_server.apiserver_url)
            connections[group] = http.client.HTTPSConnection(
                address.hostname or "", address.port, context=context, timeout=20
            )
        connections[group].request(method, url, headers={"User-Agent": "asker"})
        response = connections[group].getresponse()
        return response.status, response.headers.get("Audit-Id", ""), response.read()

    yield send
    for connection in connections.values():
        connection.close()


def test_verb_and_coordinates_are_those_of_the_audit_log(api_server: ApiServer, ask: Any, catalogue: Catalogue) -> None:
    """Odd methods, paths and queries included: 0 differences."""
    asked = {ask(method, url)[1]: (method, url) for method, url in REQUESTS}
    assert len(asked) == len(REQUESTS)
    events = [json.loads(line) for line in api_server.audit_log.read_text().splitlines()]
    found = {event["auditID"]: event for event in events if event["auditID"] in asked and event["stage"] != "Panic"}
    assert found.keys() == asked.keys()
    for audit_id, request in asked.items():
        expected = coordinates_of(found[audit_id])
        assert summary(catalogue.match(*request)) == expected, request
        assert summary(catalogue.match_audit(expected[0], found[audit_id]["requestURI"])) == expected, request


def test_what_the_server_refuses_unread_is_no_operation(api_server: ApiServer, ask: Any, catalogue: Catalogue) -> None:
    """Such requests are in no audit log."""
    for method, url in REFUSED:
        status, audit_id, _ = ask(method, url)
        assert status in {400, 500}, url
        assert not audit_id or audit_id not in api_server.audit_log.read_text()
        assert catalogue.match(method, url).finding is Finding.UNKNOWN_PATH


def test_a_path_is_an_operation_when_the_server_routes_it(ask: Any, catalogue: Catalogue) -> None:
    """An administrator gets no "no such page" for what we call an operation, and nothing else for what we do not."""
    # Not turned on here, though the document has it; and two that answer any method as if it were GET.
    others = {"/logs/a/b", "/apis", "/apis/apps"}
    for method, url in [(method, path) for method in ("GET", "OPTIONS", "FOO") for path in PATHS if path not in others]:
        match = catalogue.match(method, url)
        if match.finding is Finding.NOT_API or match.verb == "watch":
            continue
        status, _, body = ask(method, url, "system:masters")
        missing = status == 404 and (b"page not found" in body or b"could not find the requested resource" in body)
        empty_name = match.reason == "the name is empty"  # routed, then refused
        assert (match.operation is None and not empty_name) is (missing or status == 405), (method, url, status, body)


def summary(match: Match) -> tuple[str, ...]:
    """What an audit event says, from a match; without a resource there are no coordinates."""
    at = (match.group, match.version, match.resource, match.subresource, match.namespace, match.name)
    return (match.verb, *(at if match.verb in SERVER_VERBS else ("",) * 6))


SERVER_VERBS = {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "proxy", ""}


def coordinates_of(event: dict[str, Any]) -> tuple[str, ...]:
    """The same of an audit event."""
    about = event.get("objectRef", {})
    keys = ("apiGroup", "apiVersion", "resource", "subresource", "namespace", "name")
    return (event["verb"], *(about.get(key, "") for key in keys))
