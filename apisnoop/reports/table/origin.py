"""Where a report comes from, for a terminal."""

from apisnoop.coverage.provenance import Provenance
from apisnoop.reports.paint import Paint
from apisnoop.reports.wording import clean, longest, origin


def render_origin(provenance: Provenance, paint: Paint) -> list[str]:
    """Render catalogue, window, sources, losses and tool, one a line, headings to the left."""
    said = origin(provenance)
    size = longest(heading for heading, _ in said)
    return [
        f"{paint((heading if first else '').ljust(size), 'dim')}  {clean(line)}"
        for heading, lines in said
        for first, line in zip((True, *(False,) * len(lines)), lines, strict=False)
    ]
