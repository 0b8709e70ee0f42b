"""The one kind of answer that this proxy makes up itself, and only for listeners that ask for it."""

import json

from mitmproxy import http


def unavailable(reason: str) -> http.Response:
    """Say that the server could not be reached, as a Kubernetes Status, which clients print as they print others."""
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"apisnoop cannot reach the API server: {reason}",
        "reason": "ServiceUnavailable",
        "code": 503,
    }
    return http.Response.make(503, json.dumps(status), {"Content-Type": "application/json"})
