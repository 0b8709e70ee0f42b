"""The kinds of objects that recording can be asked of, and how people name them: deploy/web, ns/shop, web-0."""

from collections.abc import Sequence
from dataclasses import dataclass

from apisnoop.errors import UsageError


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object."""

    name: str
    """In lower case."""
    path: str
    """Of its collection in a namespace; {} is the namespace."""
    aliases: tuple[str, ...]

    def collection(self, namespace: str | None) -> str:
        """Give the path of all in a namespace, or of all there are."""
        return self.path.format(f"/namespaces/{namespace}" if namespace and self is not NAMESPACE else "")


POD = Kind("pod", "/api/v1{}/pods", ("pods", "po"))
DEPLOYMENT = Kind("deployment", "/apis/apps/v1{}/deployments", ("deployments", "deploy", "deployments.apps"))
STATEFUL_SET = Kind("statefulset", "/apis/apps/v1{}/statefulsets", ("statefulsets", "sts", "statefulsets.apps"))
DAEMON_SET = Kind("daemonset", "/apis/apps/v1{}/daemonsets", ("daemonsets", "ds", "daemonsets.apps"))
JOB = Kind("job", "/apis/batch/v1{}/jobs", ("jobs", "jobs.batch"))
CRON_JOB = Kind("cronjob", "/apis/batch/v1{}/cronjobs", ("cronjobs", "cj", "cronjobs.batch"))
NAMESPACE = Kind("namespace", "/api/v1/namespaces", ("namespaces", "ns"))
KINDS = (POD, DEPLOYMENT, STATEFUL_SET, DAEMON_SET, JOB, CRON_JOB, NAMESPACE)
OWNERS = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, JOB, CRON_JOB)
"""Kinds whose mark holds for the pods they make."""
REPLICA_SETS = "/apis/apps/v1{}/replicasets"
REPLICA_SET_WORDS = frozenset({"rs", "replicaset", "replicasets", "replicasets.apps"})
_BY_WORD = {word: kind for kind in KINDS for word in (kind.name, *kind.aliases)}


@dataclass(frozen=True, slots=True)
class Reference:
    """One object by its kind and name; in which namespace is said elsewhere."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.name}/{self.name}"


def kind_of(word: str) -> Kind | None:
    """Find the kind that a word means to kubectl; None for none of ours."""
    return _BY_WORD.get(word.lower())


def parse_references(words: Sequence[str]) -> list[Reference]:
    """Read objects as kubectl writes them: KIND/NAME each, KIND NAME..., or the bare names of pods.

    Raises UsageError for a kind that cannot be marked and for an empty name.
    """
    if len(words) > 1 and "/" not in words[0] and (kind := kind_of(words[0])):
        return [Reference(kind, _named(name, words[0])) for name in words[1:]]
    if words and "/" not in words[0] and words[0].lower() in REPLICA_SET_WORDS:
        raise _replica_set()
    return [_reference(word) for word in words]


def _reference(word: str) -> Reference:
    left, slash, name = word.partition("/")
    if not slash:
        return Reference(POD, _named(left, word))
    if left.lower() in REPLICA_SET_WORDS:
        raise _replica_set()
    kind = kind_of(left)
    if kind is None:
        known = ", ".join(one.name for one in KINDS)
        raise UsageError(f"{word}: {left!r} is none of {known}")
    return Reference(kind, _named(name, word))


def _named(name: str, word: str) -> str:
    if not name or "/" in name:
        raise UsageError(f"{word!r} names no object: write KIND/NAME, e.g. deploy/web, or the name of a pod")
    return name


def _replica_set() -> UsageError:
    return UsageError("ReplicaSets are not asked: name the Deployment above it, e.g. deploy/web, or its pods")
