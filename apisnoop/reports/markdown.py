"""Reports as Markdown, for job summaries, merge requests and wikis (GitHub's and GitLab's dialect).

Everything that a caller chose is put into code spans made so that nothing in it works: no link, mention, tag or column.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from apisnoop.coverage.comparison import ComparisonReport
from apisnoop.coverage.gaps import GapsReport
from apisnoop.coverage.gate import Verdict
from apisnoop.coverage.provenance import Provenance
from apisnoop.coverage.report import Breakdown, CoverageReport, FindingUse, Group
from apisnoop.coverage.share import Count, Share
from apisnoop.reports.origin import empty_explained, origin, origin_of_both
from apisnoop.reports.recorded import cautions
from apisnoop.reports.remarks import remark_on, some_callers, standing_of, summarize_diff, summarize_gaps, tests_of
from apisnoop.reports.wording import (
    MEANING,
    clean,
    counted,
    headline,
    number,
    percent,
    total_explained,
)

CALLERS = 5
ROWS = 100
"""Rows of one table: a job summary has room for 1 MiB."""


def render_coverage(report: CoverageReport, verdicts: Iterable[Verdict] = ()) -> str:
    """Render a coverage report: the figures, the gate, findings with who caused them, and where it all comes from."""
    judged = _verdicts(tuple(verdicts))
    if report.provenance.is_empty:
        said = empty_explained(report.provenance)
        return joined(
            [
                "## API coverage: no data",
                said,
                *render_cautions(report.provenance),
                *judged,
                *render_origin(report.provenance),
            ]
        )
    title = report.provenance.catalogue.release
    return joined(
        [
            f"## API coverage: {headline(report)}",
            f"Kubernetes {code(title)}. {total_explained(report)}" if title else total_explained(report),
            *render_cautions(report.provenance),
            *judged,
            _shares("Level", _levels(report), report.count),
            *_findings(report.findings),
            *(_breakdown(report.by, report.count) if report.by else []),
            details("By verb", _shares("Verb", _rows(report.verbs), report.count)),
            details("By group/version", _shares("Group/version", _rows(report.groups), report.count)),
            details("By resource", _shares("Resource", _rows(report.resources), report.count)),
            *render_origin(report.provenance),
        ]
    )


def render_gaps(report: GapsReport) -> str:
    """Render a ranking of gaps."""
    mind = render_cautions(report.provenance)
    if report.provenance.is_empty:
        said = empty_explained(report.provenance)
        return joined(["## API gaps: no data", said, *mind, *render_origin(report.provenance)])
    rows = [
        (
            number(rank),
            code(gap.operation.id),
            code(tests_of(gap)) if gap.tests else tests_of(gap),
            code(some_callers(gap.callers)),
            remark_on(gap),
            number(len(gap.callers)),
            number(gap.calls.total),
        )
        for rank, gap in enumerate(report.gaps, start=1)
    ]
    first, *others = summarize_gaps(report)
    header = ("Rank", "Operation", "Tests", "Used by", "Remark", "Callers", "Calls")
    ranking = table(header, rows, right=2)
    return joined([f"## API gaps: {first}", *others, *mind, ranking, *render_origin(report.provenance)])


def render_diff(report: ComparisonReport) -> str:
    """Render a comparison of two recordings."""
    first, *others = summarize_diff(report)
    parts = [f"## API use: {first}", *map(code, others)]
    for title, changes in (
        ("No longer served", report.no_longer_served),
        ("Newly deprecated", report.newly_deprecated),
        ("Newly used", report.newly_used),
        ("No longer used", report.no_longer_used),
    ):
        rows = [
            (
                code(f"{change.method} {change.path}"),
                code(standing_of(change)),
                code(some_callers(change.callers)),
                number(change.calls_before.total),
                number(change.calls_after.total),
            )
            for change in changes
        ]
        if rows:
            parts += [f"### {title}", table(("Request", "What", "By", "Calls before", "Calls after"), rows, right=2)]
    return joined([*parts, *render_both_origins(report.before, report.after)])


def joined(parts: Iterable[str]) -> str:
    """Put blocks under one another."""
    return "\n\n".join(part for part in parts if part) + "\n"


def code(text: str) -> str:
    """Put text that anybody may have chosen into a code span that nothing in it can end or leave.

    The fence is longer than any run of backticks inside (https://spec.commonmark.org/0.31.2/#code-spans); a table ends
    its cells at `|` even inside code, hence the escape that GitHub and GitLab undo there.
    """
    safe = clean(text).replace("|", "\\|") or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", safe)), default=0) + 1)
    space = " " if safe.startswith("`") or safe.endswith("`") else ""
    return f"{fence}{space}{safe}{space}{fence}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: int = 0) -> str:
    """Render a table whose last `right` columns are numbers; beyond ROWS rows it says how many are left out."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    rule = ["---"] * (len(header) - right) + ["--:"] * right
    shown = [f"| {' | '.join(header)} |", f"| {' | '.join(rule)} |", *lines[:ROWS]]
    left = len(lines) - ROWS
    more = f"\n\n{number(left)} more rows are left out; the JSON report has all." if left > 0 else ""
    return "\n".join(shown) + more


def details(summary: str, body: str) -> str:
    """Fold a block away under one line."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>" if body else ""


def _verdicts(verdicts: Sequence[Verdict]) -> list[str]:
    if not verdicts:
        return []
    rows = [("✅ passed" if v.passed else "❌ failed", code(v.rule), code(v.message)) for v in verdicts]
    return [table(("Gate", "Rule", "Found"), rows)]


def _levels(report: CoverageReport) -> list[tuple[str, Share]]:
    return [("**all**", report.current), *((group.name, group.share) for group in report.levels)]


def _rows(groups: Iterable[Group]) -> list[tuple[str, Share]]:
    return [(code(group.name), group.share) for group in groups if group.calls]


def _shares(name: str, rows: Iterable[tuple[str, Share]], count: Count) -> str:
    cells = (
        (name, number(share.ok), number(share.any), number(share.total), percent(share.percent(count)))
        for name, share in rows
    )
    return table((name, "Answered ok", "Any answer", "Total", "Hit"), cells, right=4)


def _findings(findings: Iterable[FindingUse]) -> list[str]:
    parts = ["### Findings"]
    for kind, found in groupby(findings, key=lambda finding: finding.kind):
        rows = [(code(f"{f.method} {f.path}"), clean_reason(f), callers(f), number(f.calls.total)) for f in found]
        parts += [f"**{kind.value}**: {MEANING[kind]}", table(("Request", "Why", "By", "Calls"), rows, right=1)]
    if len(parts) == 1:
        parts.append("None: no call to a removed, invalid, deprecated, alpha or beta operation.")
    return parts


def clean_reason(finding: FindingUse) -> str:
    """Give the reason of a finding, which may quote what the caller sent."""
    return code(finding.reason) if finding.reason else ""


def callers(finding: FindingUse) -> str:
    """Name those who caused a finding, the first few."""
    named = [code(caller.who.label) for caller in finding.callers[:CALLERS]]
    left = len(finding.callers) - len(named)
    return ", ".join(named) + (f" and {counted(left, 'other')}" if left else "")


def _breakdown(by: Breakdown, count: Count) -> list[str]:
    rows = (
        (
            code(part.name),
            ", ".join(f"{number(calls)} {kind}" for kind, calls in part.findings),
            number(part.share.ok),
            number(part.share.any),
            percent(part.share.percent(count)),
            number(part.calls.total),
        )
        for part in by.parts
    )
    header = (by.dimension.value.capitalize(), "Findings", "Answered ok", "Any answer", "Hit", "Calls")
    return [f"### By {by.dimension.value}", table(header, rows, right=4)]


def render_cautions(provenance: Provenance) -> list[str]:
    """Say what a reader must know before the figures: what was not recorded although it should have been."""
    return [f"⚠ {code(line)}" for line in cautions(provenance)]


def render_origin(provenance: Provenance) -> list[str]:
    """Say where a report comes from, one line of a table each."""
    rows = [
        ("" if at else heading, code(line)) for heading, lines in origin(provenance) for at, line in enumerate(lines)
    ]
    return ["### Where this comes from", table(("", ""), rows)]


def render_both_origins(before: Provenance, after: Provenance) -> list[str]:
    """Say where both sides of a comparison come from: what they share once, the rest side by side."""
    rows = [
        ("" if at else heading, "" if at else side, code(line))
        for heading, side, lines in origin_of_both(before, after)
        for at, line in enumerate(lines)
    ]
    mind = [f"{side}: {line}" for side, of in (("before", before), ("after", after)) for line in render_cautions(of)]
    return ["### Where this comes from", *mind, table(("", "", ""), rows)]
