"""Words for resources that nobody knows: calls of them may be waited for in vain, which is said and not forbidden.

Somebody may be watching for calls of what is not served, or not yet.
"""

from collections.abc import Collection, Iterator

from apisnoop.cli.discovery import kinds_of, versions_of
from apisnoop.cluster_api import Api
from apisnoop.errors import ApisnoopError
from apisnoop.fleet.call_filter import resource_names
from apisnoop.operations.shipped import operation_of, shipped
from apisnoop.suggestions import suggestion


def unknown_resources(api: Api, words: Collection[str]) -> str:
    """Name those of the words that are no resource of a shipped release or of the cluster, and what may be meant.

    Empty where there are none, and where the cluster does not say all that it serves.
    """
    if not words or not (left := set(words).difference(shipped_names := set(_shipped_names()))):
        return ""
    try:
        served = {name for version in versions_of(api) for name in _names_in(api, version)}
    except ApisnoopError:
        return ""
    if not (unknown := sorted(left - served)):
        return ""
    known = served | shipped_names
    named = ", ".join(f"{word}{_hint(suggestion(word, known))}" for word in unknown)
    return f"--resource: neither the cluster nor a known release of Kubernetes has {named}; going on all the same"


def _shipped_names() -> Iterator[str]:
    for row in shipped().rows:
        one = operation_of(row)
        yield from resource_names(one.resource, one.subresource, one.group)


def _names_in(api: Api, version: str) -> Iterator[str]:
    """Give the names of all that a version serves; the core group has no name."""
    group = version.split("/")[2] if version.startswith("/apis/") else ""
    for one in kinds_of(api, version):
        resource, _, subresource = one.name.partition("/")
        yield from resource_names(resource, subresource, group)


def _hint(question: str) -> str:
    return f" ({question.removeprefix('; ')})" if question else ""
