"""Reviews as an API server sends them, and the effect of their answers on the pod."""

import base64
import json
from datetime import UTC, datetime

import jsonpatch
import msgspec

from apisnoop_webhook.answer import answer
from apisnoop_webhook.judgement import Surroundings
from apisnoop_webhook.settings import Injection, Situation, Trust
from apisnoop_webhook.wire import AdmissionReview, parse_review

INJECTION = Injection(image="registry.example/apisnoop:1", version="1.2.3")
READY = Situation(trust=Trust.CLUSTER, agents_ready=True)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
PODS = {"group": "", "version": "v1", "resource": "pods"}


def pod(*, metadata=None, **spec):
    """Make a pod that wants to be recorded."""
    given = (
        {
            "generateName": "web-",
            "creationTimestamp": None,
            "annotations": {"apisnoop": "true"},
            "managedFields": [{"manager": "kubectl", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {}}}],
        }
        if metadata is None
        else metadata
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": given,
        "spec": {"containers": [{"name": "app", "image": "app:1"}], **spec},
    }


def review_of(thing, **request) -> bytes:
    """Make the review of creating a pod."""
    return json.dumps(
        {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "u-1",
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": PODS,
                "operation": "CREATE",
                "namespace": "shop",
                "userInfo": {"username": "alice"},
                "oldObject": None,
                "object": thing,
                **request,
            },
        }
    ).encode()


def parsed(thing, **request) -> AdmissionReview:
    """Make a review as the pure functions take it."""
    return parse_review(review_of(thing, **request))


def answered(thing, surroundings=None, injection=INJECTION, situation=READY, **request):
    """Answer the review of creating a pod, and give the response."""
    given = answer(parsed(thing, **request), surroundings or Surroundings(), injection, situation, NOW)
    return msgspec.to_builtins(given)["response"]


def patch_in(response):
    """Decode a response's patch; empty if there is none."""
    return json.loads(base64.b64decode(response["patch"])) if "patch" in response else []


def admitted(thing, **settings):
    """Give the pod as it is after the patch, applied by a library that others wrote."""
    return jsonpatch.apply_patch(json.loads(json.dumps(thing)), patch_in(answered(thing, **settings)))
