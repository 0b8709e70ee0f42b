"""Reports as documents: plain dictionaries in the shape of the published schemas (`schema/`), for JSON.

Keys are never renamed or taken away within a version of a schema; new ones may be added.
"""

from collections.abc import Iterable
from typing import Any

from apisnoop.calls.recording import Gap
from apisnoop.coverage.calls_seen import CallsSeen
from apisnoop.coverage.comparison import Change, ComparisonReport, Standing
from apisnoop.coverage.gaps import GapsReport
from apisnoop.coverage.gate import Verdict
from apisnoop.coverage.provenance import CatalogueUsed, Provenance, Recordings
from apisnoop.coverage.report import Breakdown, CallerUse, CoverageReport, FindingClass, FindingUse, Group, OperationUse
from apisnoop.coverage.share import Share
from apisnoop.coverage.who import Who
from apisnoop.operations.operation import Operation
from apisnoop.reports.wording import iso

type Document = dict[str, Any]

COVERAGE = "apisnoop/coverage/v1"
GAPS = "apisnoop/gaps/v1"
DIFF = "apisnoop/diff/v1"


def coverage_document(report: CoverageReport, verdicts: Iterable[Verdict] = ()) -> Document:
    """Give a coverage report as a document of schema coverage-v1."""
    rated = _Rating(report)
    return {
        "format": COVERAGE,
        "origin": origin_document(report.provenance),
        "counting": {"count": report.count.value, "eligible": report.eligible, "left_out": report.left_out},
        "summary": {
            "current": rated.share(report.current),
            "every": rated.share(report.every),
            "not_api": calls_document(report.not_api),
        },
        "gate": [{"rule": v.rule, "passed": v.passed, "message": v.message} for v in verdicts],
        "levels": rated.groups(report.levels),
        "group_versions": rated.groups(report.groups),
        "resources": rated.groups(report.resources),
        "verbs": rated.groups(report.verbs),
        "details": [{"name": d.name, "ok": d.ok, "any": d.any, "calls": d.calls} for d in report.details],
        "findings": [finding_document(finding) for finding in report.findings],
        "by": rated.breakdown(report.by) if report.by else None,
        "callers": None if report.callers is None else [rated.caller(caller) for caller in report.callers],
        "operations": [rated.operation(use) for use in report.operations],
    }


def gaps_document(report: GapsReport) -> Document:
    """Give a ranking of gaps as a document of schema gaps-v1."""
    return {
        "format": GAPS,
        "origin": origin_document(report.provenance),
        "counting": {"count": report.count.value, "eligible": report.eligible},
        "tested": list(report.tested),
        "used": report.used,
        "gaps": [
            {
                "rank": rank,
                **_operation(gap.operation),
                "ineligible": gap.ineligible or None,
                "tests": None if gap.tests is None else list(gap.tests),
                "calls": {"ok": gap.calls.ok, "errors": gap.calls.errors},
                "callers": [who_document(who) for who in gap.callers],
            }
            for rank, gap in enumerate(report.gaps, start=1)
        ],
    }


def diff_document(report: ComparisonReport) -> Document:
    """Give a comparison as a document of schema diff-v1."""
    return {
        "format": DIFF,
        "before": origin_document(report.before),
        "after": origin_document(report.after),
        "counting": {"count": report.count.value},
        "used_before": report.used_before,
        "used_after": report.used_after,
        "newly_used": [_change(change) for change in report.newly_used],
        "no_longer_used": [_change(change) for change in report.no_longer_used],
        "newly_deprecated": [_change(change) for change in report.newly_deprecated],
        "no_longer_served": [_change(change) for change in report.no_longer_served],
    }


def _change(change: Change) -> Document:
    return {
        "method": change.method,
        "path": change.path,
        "before": _standing(change.before),
        "after": _standing(change.after),
        "calls_before": calls_document(change.calls_before),
        "calls_after": calls_document(change.calls_after),
        "callers": [who_document(who) for who in change.callers],
    }


def _standing(standing: Standing | None) -> Document | None:
    if standing is None:
        return None
    return {
        "kind": standing.kind,
        "operation": standing.operation or None,
        "level": standing.level or None,
        "deprecated": standing.deprecated,
        "reason": standing.reason,
    }


class _Rating:
    """Shares and uses under the report's way of counting."""

    def __init__(self, report: CoverageReport) -> None:
        self._report = report

    def share(self, share: Share) -> Document:
        percent = None if self._report.provenance.is_empty else share.percent(self._report.count)
        rounded = None if percent is None else round(percent, 4)
        return {"total": share.total, "ok": share.ok, "any": share.any, "percent": rounded}

    def groups(self, groups: Iterable[Group]) -> list[Document]:
        return [{"name": group.name, **self.share(group.share), "calls": group.calls} for group in groups]

    def breakdown(self, by: Breakdown) -> Document:
        parts = [
            {
                "name": part.name,
                **self.share(part.share),
                "calls": calls_document(part.calls),
                "findings": _class_counts(part.findings),
            }
            for part in by.parts
        ]
        return {"dimension": by.dimension.value, "parts": parts}

    def caller(self, caller: CallerUse) -> Document:
        operations = self._report.operations
        return {
            **who_document(caller.who),
            **self.share(caller.share),
            "calls": calls_document(caller.calls),
            "findings": _class_counts(caller.findings),
            "operations": [
                {"id": operations[place].operation.id, "ok": ok, "errors": errors} for place, ok, errors in caller.uses
            ],
        }

    def operation(self, use: OperationUse) -> Document:
        return {
            **_operation(use.operation),
            "ineligible": use.ineligible or None,
            "calls": calls_document(use.calls),
            "actions": [{"verb": a.verb, "detail": a.detail, **calls_document(a.calls)} for a in use.actions],
        }


def _operation(operation: Operation) -> Document:
    return {
        "id": operation.id,
        "method": operation.method,
        "path": operation.path,
        "group": operation.group,
        "version": operation.version,
        "resource": operation.resource,
        "subresource": operation.subresource,
        "scope": operation.scope.value,
        "level": operation.level.value,
        "deprecated": operation.deprecated,
    }


def finding_document(finding: FindingUse) -> Document:
    """Give one finding with its callers."""
    return {
        "class": finding.kind.value,
        "finding": finding.finding or None,
        "operation": finding.operation or None,
        "method": finding.method,
        "path": finding.path,
        "reason": finding.reason,
        "calls": calls_document(finding.calls),
        "callers": [{**who_document(caller.who), "calls": calls_document(caller.calls)} for caller in finding.callers],
    }


def who_document(who: Who) -> Document:
    """Give a caller; an empty string stands for what no source told."""
    return {
        "label": who.label,
        "namespace": who.namespace,
        "workload": who.workload,
        "container": who.container,
        "identity": who.identity,
        "client": who.client,
    }


def calls_document(calls: CallsSeen) -> Document:
    """Give how many calls were seen and when."""
    return {"ok": calls.ok, "errors": calls.errors, "first": iso(calls.first), "last": iso(calls.last)}


def origin_document(provenance: Provenance) -> Document:
    """Give where a report's figures come from."""
    return {
        "tool": provenance.tool,
        "generated": iso(provenance.generated),
        "store": provenance.store,
        "empty": provenance.is_empty,
        "calls": provenance.calls,
        "catalogue": _catalogue(provenance.catalogue),
        "recorded_with": [_catalogue(used) for used in provenance.recorded_with],
        "window": {
            "since": iso(provenance.since),
            "until": iso(provenance.until),
            "first_seen": iso(provenance.first_seen),
            "last_seen": iso(provenance.last_seen),
        },
        "sources": [
            {
                "kind": source.kind,
                "name": source.name,
                "calls": source.calls,
                "started": iso(source.started),
                "ended": iso(source.ended),
                "state": source.state,
            }
            for source in provenance.sources
        ],
        "lost": [
            {
                "source": lost.source,
                "reason": lost.reason,
                "detail": lost.detail,
                "count": lost.count,
                "example": lost.example,
            }
            for lost in provenance.lost
        ],
        "notes": list(provenance.notes),
        **({"recordings": recordings_document(provenance.recordings)} if provenance.recordings else {}),
    }


def recordings_document(found: Recordings) -> Document:
    """Give which pods of a cluster were recorded and what was missed; lists are bounded, counts are of all."""
    return {
        "pod_count": found.pod_count,
        "node_count": found.node_count,
        "seconds": round(found.seconds, 3),
        "since": iso(found.since),
        "until": iso(found.until),
        "pods": [
            {
                "node": pod.node,
                "namespace": pod.namespace,
                "name": pod.name,
                "uid": pod.uid,
                "since": iso(pod.since),
                "until": iso(pod.until),
                "seconds": round(pod.seconds, 3),
                "ended": pod.ended,
            }
            for pod in found.pods
        ],
        "gap_count": found.gap_count,
        "gap_seconds": round(found.gap_seconds, 3),
        "open_gap_count": found.open_gap_count,
        "gaps": [_gap(gap) for gap in found.gaps],
        "not_seen_count": found.not_seen_count,
        "not_seen": [{"who": one.who, "reason": one.reason, "connections": one.connections} for one in found.not_seen],
        "asked_since": iso(found.asked_since),
        "asked_until": iso(found.asked_until),
        "older_connections": found.older_connections,
        "not_recorded_count": found.not_recorded_count,
        "not_recorded": [
            {"node": one.node, "namespace": one.namespace, "name": one.name, "state": one.state, "reason": one.reason}
            for one in found.not_recorded
        ],
    }


def _gap(gap: Gap) -> Document:
    return {
        "node": gap.node,
        "namespace": gap.namespace,
        "name": gap.pod,
        "uid": gap.pod_uid,
        "since": iso(gap.start),
        "until": iso(gap.end),
        "seconds": None if gap.end is None else round(gap.end - gap.start, 3),
        "reason": gap.reason,
    }


def _catalogue(used: CatalogueUsed) -> Document:
    return {"release": used.release, "source": used.source, "digest": used.digest}


def _class_counts(findings: Iterable[tuple[FindingClass, int]]) -> dict[str, int]:
    return {kind.value: calls for kind, calls in findings}
