"""Where a report comes from, for a terminal."""

from apisnoop.coverage.provenance import Provenance
from apisnoop.reports.origin import origin, origin_of_both
from apisnoop.reports.paint import Paint
from apisnoop.reports.recorded import SHOWN, cautions
from apisnoop.reports.wording import clean, longest


def render_cautions(provenance: Provenance, paint: Paint) -> list[str]:
    """Render what a reader must know before the figures: what was not recorded although it should have been."""
    return [paint(clean(line), "yellow") for line in cautions(provenance)]


def render_origin(provenance: Provenance, paint: Paint, *, wide: bool = False) -> list[str]:
    """Render catalogue, window, sources, losses and tool, one a line, headings to the left; `wide` lists every pod."""
    said = origin(provenance, None if wide else SHOWN)
    size = longest(heading for heading, _ in said)
    return [
        f"{paint((heading if first else '').ljust(size), 'dim')}  {clean(line)}"
        for heading, lines in said
        for first, line in zip((True, *(False,) * len(lines)), lines, strict=False)
    ]


def render_both_origins(before: Provenance, after: Provenance, paint: Paint, *, wide: bool = False) -> list[str]:
    """Render where both sides of a comparison come from: what they share once, the rest side by side."""
    said = origin_of_both(before, after, None if wide else SHOWN)
    size, side_size = longest(heading for heading, _, _ in said), longest(side for _, side, _ in said)
    rows = []
    last = ""
    for heading, side, lines in said:
        for at, line in enumerate(lines):
            shown = (heading if heading != last else "", side if at == 0 else "", clean(line))
            rows.append(shown)
            last = heading
    margin = side_size + 2 if side_size else 0
    return [
        f"{paint(heading.ljust(size), 'dim')}  {paint(side.ljust(margin), 'dim')}{line}" for heading, side, line in rows
    ]
