"""The webhook's whole meaning: AdmissionReview in, AdmissionReview with a JSON Patch out. Pure.

The same pod may come twice (`reinvocationPolicy: IfNeeded`), with containers that others added in between: what has
been done is seen by its effect, not by a mark, and a pod that has everything gets no patch.
"""

import base64
from datetime import datetime

import msgspec

from apisnoop.node.wanted import INJECTED
from apisnoop_webhook.containers import init_container
from apisnoop_webhook.judgement import Surroundings, is_wanted, why_not
from apisnoop_webhook.patch import Operation, put_first, set_entry
from apisnoop_webhook.settings import Injection, Situation, Trust
from apisnoop_webhook.trust import use_bundle
from apisnoop_webhook.wire import AdmissionAnswer, AdmissionResponse, AdmissionReview, Pod

_LONGEST = 120
"""Characters of a warning; kubectl and the API server cut longer ones."""


def answer(
    review: AdmissionReview, surroundings: Surroundings, injection: Injection, situation: Situation, now: datetime
) -> AdmissionAnswer:
    """Allow the pod, whatever it is, with a patch if it is wanted or a warning if it is and cannot be recorded."""
    request = review["request"]
    response = AdmissionResponse(uid=request["uid"], allowed=True)
    if concerns_us(review) and is_wanted(request["object"], surroundings, now):
        obstacle = why_not(request, surroundings, injection, situation)
        if obstacle is None:
            _add_patch(response, render_patch(request["object"], injection, situation))
        else:
            response["warnings"] = [f"apisnoop left this pod as it is: {obstacle}"[:_LONGEST]]
    return AdmissionAnswer(apiVersion="admission.k8s.io/v1", kind="AdmissionReview", response=response)


def concerns_us(review: AdmissionReview) -> bool:
    """Whether a pod is being created. Anything else is a configuration that asks us too much; it changes nothing."""
    request = review["request"]
    pods = request["resource"] == {"group": "", "version": "v1", "resource": "pods"}
    return pods and request["operation"] == "CREATE" and not request.get("subResource")


def render_patch(pod: Pod, injection: Injection, situation: Situation) -> list[Operation]:
    """List what the pod lacks: the annotation, the init container in the first place, in own-CA mode our bundle."""
    metadata, spec = pod["metadata"], pod["spec"]
    return [
        *set_entry(("metadata", "annotations"), metadata.get("annotations"), INJECTED, injection.version),
        *put_first(("spec", "initContainers"), spec.get("initContainers"), init_container(injection, spec)),
        *(use_bundle(spec, injection.bundle) if situation.trust is Trust.OWN else []),
    ]


def _add_patch(response: AdmissionResponse, patch: list[Operation]) -> None:
    if patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(msgspec.json.encode(patch)).decode()
