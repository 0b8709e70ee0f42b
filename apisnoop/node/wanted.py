"""Whether a pod is to be recorded: what it, its owners and its namespace say, and for how long.

One answer for the node agent, the webhook and the command line. Pure: objects are read by whoever calls. What is an
object's own business (may this pod be intercepted at all?) is not decided here.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

MARK = "apisnoop"
"""Annotation or label: `true` or `false`. On a namespace only the label counts, which admission can select by."""
LEGACY_MARK = "initializer.kubernetes.io/tproxy"
"""Annotation of the tool that came before: `true`, and nothing else is understood."""
UNTIL = "apisnoop/until"
"""Annotation: a moment (RFC 3339) at which recording ends."""
RESET = "apisnoop/reset"
"""Annotation: `true` breaks connections that are older than the recording, so that their clients are seen."""
INJECTED = "apisnoop/injected"
"""Annotation that the webhook leaves: the version that has changed the pod."""
WAIT_CONTAINER, REDIRECT_CONTAINER = "apisnoop-wait", "apisnoop-redirect"
"""Names of the init container that it puts into pods: in mode agent, in mode init."""
PART_OF = "app.kubernetes.io/part-of"
"""Label; our own pods say `apisnoop` and are never recorded."""


class ManagedFields(msgspec.Struct, frozen=True, rename="camel"):
    """Which client has set which fields, and when (meta/v1 ManagedFieldsEntry)."""

    time: str = ""
    fields_v1: msgspec.Raw = msgspec.field(name="fieldsV1", default=msgspec.Raw(b"{}"))


class OwnerReference(msgspec.Struct, frozen=True, rename="camel"):
    """Who has made the object (meta/v1 OwnerReference)."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    """What we read of an object's metadata (meta/v1 ObjectMeta)."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    annotations: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None
    managed_fields: list[ManagedFields] | None = None


class Marks(msgspec.Struct, frozen=True):
    """What one object says. Everything else of it can be forgotten."""

    source: str
    """The object, for people: `pod web-0`, `deployment web`, `namespace shop`."""
    mark: str = ""
    """Its words, true or false if they can be understood; empty if it says nothing."""
    until: str = ""
    reset: str = ""
    since: float | None = None
    """When it was said, as far as the API server has noted it; seconds since the epoch."""


class Wanted(msgspec.Struct, frozen=True):
    """The answer."""

    yes: bool
    why: str
    """For people, one line: which object decided."""
    until: float | None = None
    """When it ends by itself; seconds since the epoch."""
    reset: bool = False


def read_marks(kind: str, metadata: Metadata) -> Marks:
    """Read what an object says of recording. `kind` is its own, in lower case.

    A Deployment's ReplicaSet says nothing: it has copies of the Deployment's annotations, and keeps them when the
    Deployment has them no more.
    """
    source = f"{kind} {metadata.name or metadata.generate_name}"
    if kind == "replicaset" and any(owner.controller for owner in metadata.owner_references or ()):
        return Marks(source)
    annotations, labels = metadata.annotations or {}, metadata.labels or {}
    places: Sequence[Mapping[str, str]] = (labels,) if kind == "namespace" else (annotations, labels)
    mark = next((place[MARK] for place in places if MARK in place), "")
    if not mark and annotations.get(LEGACY_MARK) == "true":
        mark = "true"
    return Marks(
        source=source,
        mark=mark,
        until=annotations.get(UNTIL, ""),
        reset=annotations.get(RESET, ""),
        since=_marked_since(metadata) if mark else None,
    )


def wanted(pod: Marks, owners: Sequence[Marks], namespace: Marks, now: float, longest: float | None = None) -> Wanted:
    """Decide about a pod. `owners` are nearest first; `longest` are the seconds after which every recording ends.

    The nearest object that says something decides. What cannot be understood counts as no, and the answer names it.
    """
    objects = (pod, *owners, namespace)
    index = next((number for number, one in enumerate(objects) if one.mark), None)
    if index is None:
        return Wanted(False, "nothing asks for it")
    decides = objects[index]
    if decides.mark.lower() not in {"true", "false"}:
        return Wanted(False, f"{MARK}={decides.mark} on {decides.source} is neither true nor false")
    if decides.mark.lower() == "false":
        return Wanted(False, f"{MARK}=false on {decides.source}")
    nearest = objects[: index + 1]
    ends = next((one for one in nearest if one.until), None)
    until = _longest(decides, now, longest)
    if ends is not None:
        try:
            until = min(until, _moment(ends.until))
        except ValueError:
            return Wanted(False, f"{UNTIL}={ends.until} on {ends.source} is no time like 2026-01-31T18:00:00Z")
    if until <= now:
        return Wanted(False, f"{MARK}=true on {decides.source} has ended: its time is over")
    reset = next((one.reset for one in nearest if one.reset), "").lower() == "true"
    return Wanted(True, f"{MARK}=true on {decides.source}", until if math.isfinite(until) else None, reset)


def _longest(decides: Marks, now: float, longest: float | None) -> float:
    if longest is None:
        return math.inf
    return (now if decides.since is None else decides.since) + longest


def _marked_since(metadata: Metadata) -> float | None:
    """Find when the mark was last set: the entry of managedFields that owns it, else when the object was made."""
    needles = (f'"f:{MARK}":'.encode(), f'"f:{LEGACY_MARK}":'.encode())
    times = [
        entry.time
        for entry in metadata.managed_fields or ()
        if entry.time and any(needle in bytes(entry.fields_v1) for needle in needles)
    ]
    moment = max(times, default=metadata.creation_timestamp)
    try:
        return None if moment is None else _moment(moment)
    except ValueError:
        return None


def _moment(text: str) -> float:
    """Read RFC 3339. Raises ValueError, also without a time zone: nobody knows which one was meant."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.timestamp()
