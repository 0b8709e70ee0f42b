"""Kubernetes objects as they come over the wire: only the fields that are read here, by the API's own names.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from typing import Any, Literal, NotRequired, TypedDict

from apisnoop.decoding import decoder_of


class ObjectMeta(TypedDict, total=False):
    name: str
    generateName: str
    creationTimestamp: str | None
    labels: dict[str, str] | None
    annotations: dict[str, str] | None
    ownerReferences: list[dict[str, Any]] | None


class ObjectReference(TypedDict, total=False):
    """A ConfigMap as a source of a projected volume."""

    name: str


class ProjectedSource(TypedDict, total=False):
    configMap: ObjectReference | None


class ProjectedVolume(TypedDict, total=False):
    sources: list[ProjectedSource] | None


class Volume(TypedDict, total=False):
    name: str
    projected: ProjectedVolume | None


type Container = dict[str, Any]
"""All fields: what others put into our container is compared with what we put there."""


class PodSpec(TypedDict, total=False):
    initContainers: list[Container] | None
    containers: list[Container]
    volumes: list[Volume] | None
    hostNetwork: bool | None
    runtimeClassName: str | None
    os: dict[str, str] | None
    nodeSelector: dict[str, str] | None
    resources: dict[str, Any] | None


class Pod(TypedDict):
    metadata: ObjectMeta
    spec: PodSpec


class GroupVersionResource(TypedDict):
    group: str
    version: str
    resource: str


class AdmissionRequest(TypedDict):
    uid: str
    resource: GroupVersionResource
    operation: str
    namespace: NotRequired[str]
    subResource: NotRequired[str]
    dryRun: NotRequired[bool | None]
    object: Pod


class AdmissionReview(TypedDict):
    """What the API server sends."""

    apiVersion: Literal["admission.k8s.io/v1"]
    kind: Literal["AdmissionReview"]
    request: AdmissionRequest


class AdmissionResponse(TypedDict):
    uid: str
    allowed: bool
    patchType: NotRequired[Literal["JSONPatch"]]
    patch: NotRequired[str]
    """Base64 of a JSON Patch."""
    warnings: NotRequired[list[str]]


class AdmissionAnswer(TypedDict):
    """What it gets back."""

    apiVersion: Literal["admission.k8s.io/v1"]
    kind: Literal["AdmissionReview"]
    response: AdmissionResponse


_DECODER = decoder_of(AdmissionReview)


def parse_review(body: bytes) -> AdmissionReview:
    """Read a review of a pod.

    Raises ValueError, naming the field, for anything else.
    """
    return _DECODER.decode(body)
