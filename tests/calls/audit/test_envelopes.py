"""Opening the envelopes in which audit events come."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.calls.audit.envelopes import NOT_AUDIT, NOT_JSON, events_in_line
from tests.calls.sample import event

EVENT = event(1)
TEXT = json.dumps(EVENT)
GKE = {
    "insertId": "1c5f",
    "logName": "projects/p/logs/cloudaudit.googleapis.com%2Fdata_access",
    "protoPayload": {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "authenticationInfo": {"principalEmail": "system:serviceaccount:shop:web"},
        "methodName": "io.k8s.core.v1.pods.get",
        "requestMetadata": {"callerSuppliedUserAgent": "kubectl/v1.36.3"},
        "resourceName": "core/v1/namespaces/shop/pods/web-1",
        "serviceName": "k8s.io",
        "status": {"code": 0},
    },
    "operation": {"id": "1c5f", "producer": "k8s.io", "first": True, "last": True},
    "timestamp": "2026-06-01T09:00:01.123456789Z",
}


def found(line):
    """What a line holds: audit ids of events, and reasons."""
    text = line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
    return [part if isinstance(part, str) else part.auditID for part in events_in_line(text)]


ID = EVENT["auditID"]


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        pytest.param(EVENT, [ID], id="bare"),
        pytest.param(EVENT | {"apiVersion": "audit.k8s.io/v1beta1"}, [ID], id="v1beta1"),
        pytest.param({"kind": "EventList", "items": [EVENT, EVENT]}, [ID, ID], id="event list"),
        pytest.param({"kind": "EventList", "items": []}, [NOT_AUDIT], id="empty list"),
        pytest.param({"category": "kube-audit", "properties": {"log": TEXT + "\n"}}, [ID], id="AKS, storage"),
        pytest.param({"records": [{"properties": {"log": TEXT}}, {"properties": {}}]}, [ID, NOT_AUDIT], id="AKS, hub"),
        pytest.param({"timestamp": 1780304401000, "message": TEXT}, [ID], id="EKS, log event"),
        pytest.param({"@timestamp": "2026-06-01", "@message": TEXT}, [ID], id="EKS, insights"),
        pytest.param({"@timestamp": "2026-06-01", "@message": EVENT}, [ID], id="EKS, insights, opened"),
        pytest.param(
            {"messageType": "DATA_MESSAGE", "logEvents": [{"id": "1", "timestamp": 1, "message": TEXT}]},
            [ID],
            id="EKS, subscription",
        ),
        pytest.param({"messageType": "CONTROL_MESSAGE", "logEvents": [{"message": "CWL"}]}, [NOT_AUDIT], id="control"),
        pytest.param({"events": [{"timestamp": 1, "message": TEXT}], "nextToken": "x"}, [ID], id="EKS, API"),
        pytest.param(TEXT * 3, [ID] * 3, id="EKS, Firehose"),
        pytest.param("2026-06-01T09:00:01.000Z " + TEXT, [ID], id="EKS, export"),
        pytest.param(GKE, ["1c5f"], id="GKE"),
        pytest.param({"log": TEXT + "\n", "stream": "stdout", "time": "2026"}, [ID], id="container runtime"),
        pytest.param("2026-06-01T09:00:01.1Z stdout F " + TEXT, [ID], id="CRI"),
        pytest.param("Jun  1 09:00:01 node-1 audit[77]: " + TEXT, [ID], id="syslog"),
        pytest.param([EVENT, EVENT], [ID, ID], id="list on a line"),
        pytest.param({"log": None, "message": None, "properties": None}, [NOT_AUDIT], id="nulls"),
        pytest.param({"message": "I0601 09:00:01 klog"}, [NOT_AUDIT], id="another log"),
        pytest.param({"message": "{broken"}, [NOT_JSON], id="broken inside"),
        pytest.param({"level": "info", "msg": "hello"}, [NOT_AUDIT], id="another program's JSON"),
        pytest.param(EVENT | {"requestURI": 5}, [NOT_AUDIT], id="wrong type"),
        pytest.param(EVENT | {"requestReceivedTimestamp": "yesterday"}, [NOT_AUDIT], id="no time"),
        pytest.param(GKE | {"protoPayload": 5}, [NOT_AUDIT], id="GKE, wrong type"),
        pytest.param(GKE | {"timestamp": "x"}, [NOT_AUDIT], id="GKE, no time"),
        pytest.param({"records": [5, EVENT]}, [NOT_AUDIT, ID], id="one element of another type"),
        pytest.param("5", [NOT_JSON], id="number"),
        pytest.param("I0601 09:00:01 klog line", [NOT_JSON], id="klog"),
        pytest.param(TEXT[:200], [NOT_JSON], id="cut off"),
        pytest.param(TEXT + '{"kind":"Ev', [ID, NOT_JSON], id="one and a half"),
        pytest.param(b"\x00" * 100, [NOT_JSON], id="zeros after a crash"),
        pytest.param(b"\xff\xfe{", [NOT_JSON], id="binary"),
    ],
)
def test_a_line_is_opened(line, ids):
    """Events are found in every envelope; what is no event is told apart from what is no JSON."""
    assert found(line) == ids


def test_envelopes_are_opened_to_a_depth():
    """A line that wraps itself over and over does not recurse without end."""
    nested = EVENT
    for _ in range(20):
        nested = {"message": nested}
    assert found(nested) == [NOT_AUDIT]


def test_gke_entries_of_other_services_are_no_events():
    """A project's log holds Compute Engine and more."""
    other = GKE["protoPayload"] | {"serviceName": "compute.googleapis.com", "methodName": "v1.compute.instances.get"}
    assert found(GKE | {"protoPayload": other}) == [NOT_AUDIT]


@given(st.binary(max_size=500))
def test_no_bytes_raise(line):
    """Whatever a line holds, it gives events or reasons."""
    assert all(isinstance(part, str) for part in found(line))


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["items", "records", "message", "log", "properties", "protoPayload", "operation", "timestamp",
                         "stage", "user", "auditID", "methodName", "resourceName", "status", "@message"]),
        inner, max_size=4,
    ),
    max_leaves=15,
))  # fmt: skip
def test_no_json_raises(value):
    """Whatever types stand where events and envelopes are expected, nothing raises."""
    assert isinstance(found(value), list)
