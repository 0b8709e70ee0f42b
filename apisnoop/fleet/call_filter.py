"""Which calls of a stream are of interest: by pod, workload, namespace, container, verb, resource and status."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from apisnoop.calls.call_line import CallerPart, CallLine
from apisnoop.errors import UsageError
from apisnoop.fleet.kinds import NAMESPACE, POD, Reference
from apisnoop.fleet.verbs import OTHER_VERBS, VERBS
from apisnoop.suggestions import suggestion

CONNECT, CONNECTS = "connect", "connect-"
NOBODY = CallerPart()
NO_ANSWER = 0
"""Status of a call that was never answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """All that is given must hold; of one kind, one of the values given."""

    objects: tuple[Reference, ...] = ()
    namespace: str = ""
    containers: frozenset[str] = frozenset()
    verbs: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    """Names in the plural, with or without a subresource: pods, pods/log."""
    statuses: tuple[range, ...] = ()
    selected: Callable[[CallerPart], bool] = field(default=lambda _: True)
    """Whether a pod has the labels asked for."""

    def passes(self, call: CallLine) -> bool:
        """Tell whether a call is of interest."""
        caller = call.caller or NOBODY
        return (
            (not self.namespace or caller.namespace == self.namespace)
            and (not self.containers or caller.container in self.containers)
            and (not self.verbs or self._has_verb(call))
            and (not self.resources or not self.resources.isdisjoint(names_of(call)))
            and (not self.statuses or any(call.status in one for one in self.statuses))
            and (not self.objects or any(_is_of(caller, one) for one in self.objects))
            and self.selected(caller)
        )

    def _has_verb(self, call: CallLine) -> bool:
        return call.verb in self.verbs or (
            CONNECT in self.verbs and any(part.startswith(CONNECTS) for part in call.detail.split(","))
        )


def names_of(call: CallLine) -> set[str]:
    """Give what a call's resource can be called: pods, pods/log, deployments, deployments.apps."""
    return resource_names(call.resource, call.subresource, call.group)


def resource_names(resource: str, subresource: str, group: str) -> set[str]:
    """Give what can be written for a resource; a subresource and a group are not written at once."""
    whole = f"{resource}/{subresource}" if subresource else resource
    return {resource, whole, f"{resource}.{group}" if group else resource}


def _is_of(caller: CallerPart, reference: Reference) -> bool:
    if reference.kind is POD:
        return caller.pod == reference.name
    if reference.kind is NAMESPACE:
        return caller.namespace == reference.name
    return caller.workload == str(reference)


def parse_statuses(texts: Sequence[str]) -> tuple[range, ...]:
    """Read 404, 4xx, 400-403 and `none` (no answer). Raises UsageError naming the value."""
    return tuple(_status(one.strip()) for text in texts for one in text.split(",") if one.strip())


def _status(text: str) -> range:
    lower, _, upper = text.partition("-")
    if text == "none":
        return range(NO_ANSWER, NO_ANSWER + 1)
    if len(text) == 3 and text[0] in "12345" and text[1:].lower() == "xx":
        first = int(text[0]) * 100
        return range(first, first + 100)
    if lower.isdecimal() and (not upper or upper.isdecimal()):
        first, last = int(lower), int(upper or lower)
        if 100 <= first <= last <= 599:
            return range(first, last + 1)
    raise UsageError(f"--status {text}: write 404, 4xx, 400-403, or none for calls without an answer")


def parse_verbs(texts: Sequence[str]) -> frozenset[str]:
    """Read verbs, one by one or with commas between. Raises UsageError naming what is none, and what may be meant."""
    verbs = frozenset(word.lower() for word in parse_words(texts))
    known = (*VERBS, *OTHER_VERBS)
    for verb in sorted(verbs.difference(known)):
        raise UsageError(f"--verb {verb}: it is none of {', '.join(known)}{suggestion(verb, known)}")
    return verbs


def parse_words(texts: Sequence[str]) -> frozenset[str]:
    """Read values that are given one by one or with commas between."""
    return frozenset(word for text in texts for word in text.replace(" ", "").split(",") if word)
