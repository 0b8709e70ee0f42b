"""Wait until the API server has written the end of everything that a user asked for.

It logs the end of a request when the answer is complete, so a plain call is in the log before its client goes on. The
end of a watch that was cut comes a moment after the client has left.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from e2e.audit_events import read_log

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 60.0
PAUSE = 0.1


def wait_until_settled(audit_log: Path, user: str) -> None:
    """Return when no request of a user is still being served, or after a minute: then the join says what is open."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and _is_serving(audit_log, user):
        time.sleep(PAUSE)  # a log cannot be waited on; nobody else knows when its writer is done


def _is_serving(audit_log: Path, user: str) -> bool:
    return any(event.user == user and not event.ended for event in read_log(audit_log))
