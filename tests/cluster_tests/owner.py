"""A program that owns a cluster and waits to be killed; it prints the number of the cluster's slot.

Run as `python -m cluster_tests.owner api|cluster [fork]`; with `fork` it leaves a child that outlives it.
"""

from __future__ import annotations

import os
import signal
import sys

from cluster import ApiServer, Cluster


def main() -> None:
    """Start what the first argument names, and wait."""
    server = ApiServer.start() if sys.argv[1] == "api" else Cluster.start()
    if "fork" in sys.argv and os.fork() == 0:
        # The child has every descriptor of its parent's, and closes standard output so that nobody waits for it.
        os.close(1)
        os.close(2)
        signal.alarm(60)
        signal.pause()
    print(server.directory.name, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
