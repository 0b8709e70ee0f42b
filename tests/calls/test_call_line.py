"""A call as a line of JSON."""

import json
import re
from pathlib import Path

from apisnoop.calls.call import Call
from apisnoop.calls.call_line import CallLine, encode_call
from apisnoop.calls.caller import Caller
from tests.calls.sample import CATALOGUE


def test_a_line_holds_everything_that_is_known():
    """Every field of the call, its match and its caller is there under its documented key."""
    call = Call(
        match=CATALOGUE.match("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web", "application/apply-patch+yaml"),
        caller=Caller(namespace="shop", pod="web-1", client="kubectl"),
        method="PATCH",
        path="/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=helm",
        status=200,
        started=1_780_304_400.25,
        duration=0.0123456789,
        request_bytes=10,
        response_bytes=20,
        warnings=("old",),
        audit_id="a-1",
    )
    text = encode_call(call)
    assert text.endswith(b"}\n")
    assert json.loads(text) == {
        "time": "2026-06-01T09:00:00.250000Z",
        "method": "PATCH",
        "path": "/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=helm",
        "status": 200,
        "duration": 0.012346,
        "verb": "patch",
        "detail": "apply",
        "operation": "patchAppsV1NamespacedDeployment",
        "template": "/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
        "group": "apps",
        "version": "v1",
        "resource": "deployments",
        "namespace": "shop",
        "name": "web",
        "kind": "Deployment",
        "level": "stable",
        "request_bytes": 10,
        "response_bytes": 20,
        "warnings": ["old"],
        "audit_id": "a-1",
        "caller": {"namespace": "shop", "pod": "web-1", "client": "kubectl"},
    }


def test_what_is_unknown_is_left_out():
    """A finding has no operation, an unknown caller no key at all; a call without an answer has status 0."""
    call = Call(
        match=CATALOGUE.match("GET", "/apis/extensions/v1beta1/ingresses"),
        caller=Caller(),
        method="GET",
        path="/apis/extensions/v1beta1/ingresses",
        status=0,
        started=0.0,
        duration=0.0,
        error="client-disconnected",
    )
    line = json.loads(encode_call(call))
    assert line["finding"] == "removed"
    assert line["status"] == 0
    assert line["duration"] == 0
    assert not {"operation", "caller", "level", "deprecated", "audit_id", "kind"} & line.keys()


def test_every_key_is_documented():
    """docs/formats.md lists the keys of a line and of its caller, and no others."""
    page = (Path(__file__).parents[2] / "docs/formats.md").read_text()
    section = page.split("## The lines of `apisnoop run --calls FILE`")[1].split("\n## ")[0]
    cells = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    keys = {key for first, *_ in cells for key in re.findall(r"`(\w+)`", first)}
    assert keys == set(CallLine.__struct_fields__)
    caller = next(rest for first, *rest in cells if "`caller`" in first)
    assert set(re.findall(r"`(\w+)`", caller[0])) == set(Caller.__struct_fields__)
