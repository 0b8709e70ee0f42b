"""Google's entries turned back into audit events."""

import json

import pytest

from apisnoop.calls.audit.event import Record, decoder, user_decoder
from apisnoop.calls.audit.gke import event_of, http_status, request_uri
from tests.calls.audit.test_envelopes import GKE
from tests.calls.sample import CATALOGUE


def made(**payload):
    return event_of(decoder.decode(json.dumps(GKE | {"protoPayload": GKE["protoPayload"] | payload})))


def test_an_entry_becomes_an_event():
    """Who, what, when, with what and the outcome are where an audit event has them."""
    event = made()
    assert isinstance(event, Record)
    assert (event.auditID, event.stage, event.verb) == ("1c5f", "ResponseComplete", "get")
    assert event.requestURI == "/api/v1/namespaces/shop/pods/web-1"
    assert user_decoder.decode(event.user).username == "system:serviceaccount:shop:web"
    assert event.userAgent == "kubectl/v1.36.3"
    assert event.responseStatus is not None
    assert event.responseStatus.code == 200
    assert event.requestReceivedTimestamp is not None
    assert event.requestReceivedTimestamp.isoformat(timespec="milliseconds") == "2026-06-01T09:00:01.123+00:00"


@pytest.mark.parametrize(
    ("verb", "resource_name", "operation"),
    [
        ("get", "core/v1/namespaces/shop/pods/web-1", "readCoreV1NamespacedPod"),
        ("list", "core/v1/namespaces/shop/pods", "listCoreV1NamespacedPod"),
        ("list", "core/v1/pods", "listCoreV1PodForAllNamespaces"),
        ("list", "core/v1/namespaces/shop/pods/web-1", "listCoreV1NamespacedPod"),
        ("watch", "apps/v1/namespaces/shop/deployments", "listAppsV1NamespacedDeployment"),
        ("watch", "apps/v1/namespaces/shop/deployments/web", "listAppsV1NamespacedDeployment"),
        ("create", "core/v1/namespaces/shop/pods/web-1", "createCoreV1NamespacedPod"),
        ("create", "core/v1/namespaces/shop", "createCoreV1Namespace"),
        ("create", "core/v1/namespaces/shop/pods/web-1/exec", "connectCoreV1PostNamespacedPodExec"),
        ("create", "core/v1/namespaces/shop/pods/web-1/binding", "createCoreV1NamespacedPodBinding"),
        ("delete", "core/v1/namespaces/shop", "deleteCoreV1Namespace"),
        ("update", "core/v1/namespaces/shop/finalize", "replaceCoreV1NamespaceFinalize"),
        ("deletecollection", "core/v1/namespaces/shop/pods", "deleteCoreV1CollectionNamespacedPod"),
        ("patch", "core/v1/nodes/n/status", "patchCoreV1NodeStatus"),
        (
            "create",
            "rbac.authorization.k8s.io/v1/clusterrolebindings/admins",
            "createRbacAuthorizationV1ClusterRoleBinding",
        ),
        ("get", "core/v1/nodes/n/proxy/metrics/cadvisor", "connectCoreV1GetNodeProxyWithPath"),
        ("get", "version", "getCodeVersion"),
    ],
)
def test_the_request_is_rebuilt(verb, resource_name, operation):
    """Verb and resource name lead to the operation that was called."""
    match = CATALOGUE.match_audit(verb, request_uri(resource_name, verb))
    assert match.operation is not None
    assert (match.operation.id, match.verb) == (operation, verb)


@pytest.mark.parametrize("resource_name", ["", "/", "//", "core", "core/v1", "namespaces", "a/b/namespaces", "a//b"])
def test_no_resource_name_raises(resource_name):
    """Whatever Google writes gives some path."""
    assert request_uri(resource_name, "list").startswith("/")


@pytest.mark.parametrize(("code", "status"), [(0, 200), (5, 404), (7, 403), (16, 401), (10, 409), (404, 404), (99, 0)])
def test_a_grpc_code_becomes_a_status(code, status):
    """The nearest HTTP status stands for it; an unknown code is no answer."""
    assert http_status(code) == status


def test_the_first_of_several_entries_is_a_beginning():
    """A long-running request has an entry when it starts and another when it ends: only that one is a call."""
    begun = event_of(decoder.decode(json.dumps(GKE | {"operation": {"id": "x", "first": True}})))
    ended = event_of(decoder.decode(json.dumps(GKE | {"operation": {"id": "x", "last": "true"}})))
    assert begun is not None
    assert ended is not None
    assert (begun.stage, ended.stage) == ("ResponseStarted", "ResponseComplete")


@pytest.mark.parametrize("changes", [{"methodName": "google.container.v1.ClusterManager.Get"}, {"methodName": ""}])
def test_a_method_that_is_no_verb_of_kubernetes_is_no_event(changes):
    """GKE's own API is logged to the same place."""
    assert made(**changes) is None
