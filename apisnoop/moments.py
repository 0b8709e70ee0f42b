"""Moments as the Kubernetes API writes them: RFC 3339, in UTC, to the second."""

from datetime import UTC, datetime

MOMENT = "%Y-%m-%dT%H:%M:%SZ"
"""For moments that are in UTC."""


def moment_text(seconds: float) -> str:
    """Write seconds since the epoch: 2026-06-01T10:00:00Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime(MOMENT)


def seconds_of(moment: str) -> float | None:
    """Read a moment as seconds since the epoch; one without a zone is in UTC. None for what is none."""
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
