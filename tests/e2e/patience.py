"""How long the workload and the demo wait for a program, and what they say when that was not enough.

The limits are for programs that hang. How fast the machine is, and what else it has to do, nobody knows beforehand.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 1800
"""Seconds for one program: many times what it takes on a machine that has fifty others to run."""
WAIT = "--timeout=60m"
"""For kubectl and Helm, whose own limits are for people: ours comes first, and says what may be wrong."""
BUSY = 4
"""Programs that want each processor, from which on a failure may well come of that."""


def slowness(error: BaseException) -> Iterator[str]:
    """Say what to do where a failure may come of a slow machine: at a limit, or when it has too much to do."""
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    if isinstance(error, (TimeoutError, subprocess.TimeoutExpired)) or load >= BUSY * processors:
        yield (
            f"This machine may be too slow just now ({load:.0f} programs want its {processors} processors): "
            "run it again when it has less to do."
        )
