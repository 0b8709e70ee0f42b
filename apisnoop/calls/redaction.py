"""Which part of a request's URL may be kept: an allow-list of query keys, for whatever is not known may be a secret.

Left out on purpose: `command` (of exec: command lines hold passwords), `continue` (an opaque token of the server) and
every key of a request that is passed on to a pod, service or node, where keys mean something else.
"""

from urllib.parse import unquote_plus

KEPT_KEYS = frozenset(
    {
        # reading
        "allowWatchBookmarks", "fieldSelector", "includeObject", "labelSelector", "limit", "pretty", "resourceVersion",
        "resourceVersionMatch", "sendInitialEvents", "timeout", "timeoutSeconds", "watch",
        # writing
        "dryRun", "fieldManager", "fieldValidation", "force", "gracePeriodSeconds",
        "ignoreStoreReadErrorWithClusterBreakingPotential", "orphanDependents", "propagationPolicy",
        # logs, exec, attach, port-forward
        "container", "follow", "insecureSkipTLSVerifyBackend", "limitBytes", "ports", "previous", "sinceSeconds",
        "sinceTime", "stderr", "stdin", "stdout", "stream", "tailLines", "timestamps", "tty",
    }
)  # fmt: skip
"""Query keys of the Kubernetes API whose values select or tune and are no secret."""

LONGEST = 4096
"""Characters kept of a URL; the server itself refuses names and selectors far shorter than this."""


def kept_url(url: str) -> str:
    """Give the path of a URL with those query keys that may be kept, as they were written; cut at `LONGEST`."""
    path, _, query = url.partition("#")[0].partition("?")
    if query and not _is_passed_on(path):
        kept = [pair for pair in query.split("&") if _key(pair) in KEPT_KEYS]
        if kept:
            path = f"{path}?{'&'.join(kept)}"
    return path if len(path) <= LONGEST else f"{path[: LONGEST - 1]}…"


def _key(pair: str) -> str:
    return unquote_plus(pair.partition("=")[0])


def _is_passed_on(path: str) -> bool:
    """Tell whether the API server may hand the request to something behind it; an object called proxy loses nothing."""
    return "proxy" in unquote_plus(path).split("/")
