"""Limits of the machine that several clusters reach sooner than anything else."""

from __future__ import annotations

import sys
from pathlib import Path

_INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
_ENOUGH = 1024


def raise_inotify_limit() -> None:
    """Let root watch more files, if the limit is low; it stays raised until the next boot.

    A cluster with one node takes about twenty inotify instances, and most distributions allow a user 128. Beyond, its
    parts fail with "too many open files", each in its own way and mostly without saying so.
    """
    limit = int(_INOTIFY_INSTANCES.read_text())
    if limit >= _ENOUGH:
        return
    try:
        _INOTIFY_INSTANCES.write_text(str(_ENOUGH))
    except OSError as error:
        print(f"cannot raise fs.inotify.max_user_instances from {limit}: {error.strerror}", file=sys.stderr)
    else:
        print(f"raised fs.inotify.max_user_instances from {limit} to {_ENOUGH}", file=sys.stderr)
