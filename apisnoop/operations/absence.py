"""Why something is not in a catalogue: the class of the finding, and words for a person.

Removed, not there yet, turned off, or never heard of: what is known of other releases decides.
"""

from collections.abc import Iterable

from apisnoop.operations.document import level_of
from apisnoop.operations.lifecycle import Coordinates, Removal, releases_with, removal_of
from apisnoop.operations.match import Finding
from apisnoop.operations.operation import Level, Operation
from apisnoop.operations.shipped import release_key

_ORDER = list(Level)


class Absence:
    """Judges what a catalogue lacks, knowing what it has."""

    def __init__(self, operations: Iterable[Operation], release: str) -> None:
        self._release = release
        self._versions: dict[str, set[str]] = {}
        self._versions_of_resource: dict[tuple[str, str], set[str]] = {}
        for operation in operations:
            if operation.version:
                self._versions.setdefault(operation.group, set()).add(operation.version)
            if operation.resource:
                known = self._versions_of_resource.setdefault((operation.group, operation.resource), set())
                known.add(operation.version)

    def judge(self, wanted: Coordinates) -> tuple[Finding, str]:
        """Say why the catalogue has no operation for a resource, or for a whole version or group."""
        removal = removal_of(wanted, self._release)
        if removal is not None:
            return Finding.REMOVED, self._removed(wanted, removal)
        if wanted.version not in self._versions.get(wanted.group, ()):
            return Finding.UNKNOWN_GROUP_VERSION, self._unknown(Coordinates(wanted.group, wanted.version))
        return Finding.UNKNOWN_PATH, self._unknown(wanted)

    def judge_path(self) -> tuple[Finding, str]:
        """Say why the catalogue has no operation for a path that is not about a resource."""
        known = f"Kubernetes {self._release} has no such path" if self._release else "no operation has this path"
        return Finding.UNKNOWN_PATH, known

    def _removed(self, wanted: Coordinates, removal: Removal) -> str:
        when = f"last in {removal.last}, gone by {removal.release}" if removal.last else f"removed in {removal.release}"
        instead = removal.replacement or self._replacement(wanted)
        return f"{wanted}: {when}; {f'use {instead}' if instead else 'nothing replaces it'}"

    def _replacement(self, wanted: Coordinates) -> str:
        """Give the most settled version of the same resource that the catalogue has, or of the group."""
        if wanted.resource:
            versions = self._versions_of_resource.get((wanted.group, wanted.resource), set())
        else:
            versions = self._versions.get(wanted.group, set())
        if not versions:
            return ""
        best = max(versions, key=lambda version: (_ORDER.index(level_of(version)), version))
        return str(Coordinates(wanted.group, best))

    def _unknown(self, wanted: Coordinates) -> str:
        what = str(wanted) if wanted.version else f"group {wanted.group}"
        here = f"{what} is unknown to Kubernetes {self._release}" if self._release else f"{what} is unknown"
        elsewhere = releases_with(wanted)
        if elsewhere and not self._release:
            return f"{here}; Kubernetes {elsewhere[-1]} has it"
        if elsewhere and release_key(elsewhere[0]) > release_key(self._release):
            return f"{here}; it came later, {elsewhere[0]} has it"
        if elsewhere:
            return f"{here} as served here; it may be turned off"
        if not wanted.resource and wanted.group in self._versions:
            return f"{here}; {wanted.group or 'the core group'} has {', '.join(sorted(self._versions[wanted.group]))}"
        return here
