"""What is wrong with an installation, as lines for people and as JSON."""

from collections.abc import Sequence

import msgspec

from apisnoop.fleet.finding import Finding
from apisnoop.reports.paint import PLAIN, Paint
from apisnoop.reports.wording import clean


def render_findings(findings: Sequence[Finding], paint: Paint = PLAIN) -> str:
    """Render findings, each with what to do below it; empty for none."""
    return "".join(f"{paint(clean(one.what), 'red')}\n    {clean(one.then)}\n" for one in findings)


def render_findings_json(findings: Sequence[Finding]) -> str:
    """Render findings for programs."""
    return msgspec.json.format(msgspec.json.encode({"findings": list(findings)}), indent=2).decode() + "\n"
