"""From the bytes of a review to the bytes of its answer: looks up what the answer hangs on, no more and not for long.

Whatever fails here fails open: the pod is created, and the warning says what it lacks.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from apisnoop.decoding import convert
from apisnoop.errors import ApisnoopError
from apisnoop.node.wanted import Marks, Metadata
from apisnoop_webhook.answer import answer, concerns_us
from apisnoop_webhook.judgement import Surroundings, enforced_level, is_wanted
from apisnoop_webhook.settings import Injection, Interception, Situation, Trust
from apisnoop_webhook.trust import needs_bundle
from apisnoop_webhook.wire import AdmissionRequest, AdmissionResponse, Pod, parse_review

LOOKUP_LIMIT = 1.0
"""Seconds for everything that is looked up for one review. The API server waits for three in all."""

_log = logging.getLogger(__name__)


class Asked(StrEnum):
    """Why the API server asks, which is also the path it asks at."""

    POD = "pods"
    """The pod carries the annotation or label itself."""
    NAMESPACE = "namespaces"
    """The pod's namespace carries the label."""
    OWNER = "owners"
    """The pod has an owner, which may carry it; mode init, where what is not prepared now is never recorded."""


class Lookup(Protocol):
    """The cluster, as far as a review needs it; each call blocks and raises ApisnoopError or OSError."""

    def owners(self, pod: Metadata, namespace: str) -> list[Marks]:
        """Read what the pod's owners say, nearest first."""

    def namespace(self, name: str) -> Metadata:
        """Read a namespace's metadata."""

    def ensure_bundle(self, namespace: str) -> None:
        """Have the namespace hold the bundle of authorities, as it should be now."""


class Reviewer:
    """Answers reviews; `situation` is replaced by whoever watches the cluster."""

    def __init__(self, injection: Injection, lookup: Lookup) -> None:
        self.injection = injection
        self.situation = Situation()
        self._lookup = lookup

    async def review(self, body: bytes, asked: Asked) -> bytes:
        """Answer one review.

        Raises ValueError for a body that is no review of a pod.
        """
        review, now, situation = parse_review(body), datetime.now(UTC), self.situation
        surroundings = Surroundings()
        if concerns_us(review):
            surroundings = await self._surroundings(review["request"], asked, situation, now)
        given = answer(review, surroundings, self.injection, situation, now)
        _tell(review["request"], given["response"])
        return msgspec.json.encode(given)

    async def _surroundings(
        self, request: AdmissionRequest, asked: Asked, situation: Situation, now: datetime
    ) -> Surroundings:
        """Look up what the answer hangs on; most pods say everything themselves."""
        deadline = asyncio.get_running_loop().time() + LOOKUP_LIMIT
        pod, name = request["object"], request.get("namespace", "")
        found = Surroundings()
        if asked is not Asked.POD:
            owners, _ = await _attempt(deadline, self._lookup.owners, convert(pod["metadata"], Metadata), name)
            found = Surroundings(owners or ())
        if asked is Asked.NAMESPACE:
            found = replace(found, namespace=Marks(f"namespace {name}", mark="true"))
        if self.injection.interception is Interception.INIT and is_wanted(pod, found, now):
            namespace, _ = await _attempt(deadline, self._lookup.namespace, name)
            found = replace(found, enforces=None if namespace is None else enforced_level(namespace))
        if situation.trust is not Trust.OWN or request.get("dryRun") or not is_wanted(pod, found, now):
            return found
        return replace(found, bundle_missing=await self._bundle_missing(deadline, pod, name))

    async def _bundle_missing(self, deadline: float, pod: Pod, namespace: str) -> str:
        """Have the bundle there before the kubelet asks for it: without it, the pod would not start at all."""
        if not needs_bundle(pod["spec"], self.injection.bundle):
            return ""
        _, failure = await _attempt(deadline, self._lookup.ensure_bundle, namespace)
        return failure and f"ConfigMap {self.injection.bundle} could not be written to its namespace"


async def _attempt[**P, R](
    deadline: float, work: Callable[P, R], *args: P.args, **keywords: P.kwargs
) -> tuple[R | None, str]:
    """Do blocking work in a thread until `deadline`; return its result, or None and why there is none."""
    try:
        async with asyncio.timeout_at(deadline):
            return await asyncio.to_thread(work, *args, **keywords), ""
    except TimeoutError:
        failure = "the API server did not answer in time"
    except (ApisnoopError, OSError) as error:
        failure = str(error)
    _log.warning("cannot look up what a review needs: %s", failure)
    return None, failure


def _tell(request: AdmissionRequest, response: AdmissionResponse) -> None:
    """Log what became of a pod: names, never contents."""
    metadata = request["object"]["metadata"]
    pod = f"{request.get('namespace', '')}/{metadata.get('name') or metadata.get('generateName', '')}"
    for warning in response.get("warnings", ()):
        _log.info("%s: %s", pod, warning)
    if "patch" in response:
        _log.info("%s: injected%s", pod, " (dry run)" if request.get("dryRun") else "")
