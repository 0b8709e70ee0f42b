"""The gate: does a report meet what was asked of it? It only judges; what follows is the command line's business."""

from collections.abc import Collection
from dataclasses import dataclass
from math import floor

from apisnoop.coverage.report import CoverageReport, FindingClass
from apisnoop.coverage.share import Count


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says of a report."""

    rule: str
    """The option that asked for it, e.g. `--fail-under 80`."""
    passed: bool
    message: str
    """One line: what was found, and what was asked for where it failed."""


def judge(
    report: CoverageReport, fail_under: float | None = None, fail_on: Collection[FindingClass] = ()
) -> tuple[Verdict, ...]:
    """Judge a report by each rule asked for, in a fixed order; no rules, no verdicts.

    `fail_under` is a percentage of the operations that are not deprecated. A report without any call fails every rule:
    what was not looked at cannot pass.
    """
    verdicts = [] if fail_under is None else [_judge_share(report, fail_under)]
    return (*verdicts, *(_judge_class(report, kind) for kind in FindingClass if kind in fail_on))


def _judge_share(report: CoverageReport, least: float) -> Verdict:
    rule = f"--fail-under {least:g}"
    if report.provenance.is_empty:
        return _undecided(rule)
    share = report.current
    percent = share.percent(report.count)
    if percent is None:
        return Verdict(rule, False, "the catalogue has no operation to hit: nothing can be judged")
    hit = share.hit(report.count)
    answered = "answered without an error" if report.count is Count.OK else "however answered"
    # Rounded down, or 79.999 % would read as 80.00 % failing a gate of 80.
    said = f"{hit} of {share.total} operations hit ({floor(percent * 100) / 100:.2f} %, {answered})"
    if hit * 100 >= least * share.total:
        return Verdict(rule, True, said)
    return Verdict(rule, False, f"{said}, {least:g} % asked for")


def _judge_class(report: CoverageReport, kind: FindingClass) -> Verdict:
    rule = f"--fail-on {kind.value}"
    if report.provenance.is_empty:
        return _undecided(rule)
    found = [finding for finding in report.findings if finding.kind is kind]
    if not found:
        return Verdict(rule, True, f"no {kind.value} call")
    worst = found[0]
    calls = sum(finding.calls.total for finding in found)
    said = f"{calls} {kind.value} {'call' if calls == 1 else 'calls'}, e.g. {worst.method} {worst.path}"
    return Verdict(rule, False, f"{said} by {worst.callers[0].who.label}" if worst.callers else said)


def _undecided(rule: str) -> Verdict:
    return Verdict(rule, False, "no calls are recorded, so nothing can be judged")
