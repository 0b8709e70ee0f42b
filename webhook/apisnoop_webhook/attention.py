"""Noticing that an object has changed, by a watch, so that it need not be read over and over."""

import logging
from threading import Event

from apisnoop.errors import ApisnoopError
from apisnoop_webhook.cluster import Cluster

WATCH_SECONDS = 300.0
PAUSE = 5.0
"""Seconds between a watch's end and the next; what changed meanwhile is told at its beginning."""

_log = logging.getLogger(__name__)


def follow(cluster: Cluster, path: str, changed: Event, stopped: Event) -> None:
    """Set `changed` whenever the object at `path` is another than before, until `stopped` is set."""
    collection, _, name = path.rpartition("/")
    version, failure = "", ""
    while not stopped.is_set():
        try:
            for kind, thing in cluster.watch(collection, name, WATCH_SECONDS):
                if kind == "ERROR":
                    break
                failure, known = "", version
                version = thing["metadata"]["resourceVersion"]
                if version != known:
                    changed.set()
        except (ApisnoopError, OSError) as error:
            if str(error) != failure:
                _log.warning("cannot watch %s: %s", path, error)
            failure = str(error)
        stopped.wait(PAUSE)
