"""Requests of the components to the API server as plain JSON, and its refusals as one line each.

The kubernetes client is used for kubeconfigs and credentials. Its models are not: they drop what they do not know, and
the handful of requests a component makes reads better as paths, which are also what RBAC is about.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client

from apisnoop import __version__
from apisnoop.causes import cause_of
from apisnoop.cli.kubeconfig import authorization, configure
from apisnoop.errors import ApisnoopError, RefusedError

type Json = dict[str, Any]

JSON, MERGE_PATCH = "application/json", "application/merge-patch+json"
_CHECK = "is it running, and to be reached from here?"
_SLACK = 10.0
"""Seconds that a watch may end later than it was asked to."""


class Api:
    """One API server, with the credentials of a kubeconfig or of the pod we run in; several threads may use it.

    `program` is the name we go by; `patience` are the seconds within which a request has to be answered.
    """

    def __init__(
        self, kubeconfig: Path | None = None, context: str | None = None, *, program: str, patience: float = 30.0
    ) -> None:
        self._program = program
        self._timeout = urllib3.Timeout(connect=min(10.0, patience), read=patience)
        self.configuration = configure(kubeconfig, context)
        """Address and credentials, as the kubernetes client has them."""
        self._pool: urllib3.PoolManager = client.ApiClient(self.configuration).rest_client.pool_manager

    def get(self, path: str, **query: str) -> Json:
        """Read an object or a list."""
        return self._json("GET", path, query=query)

    def read(self, path: str, accept: str = JSON, **query: str) -> bytes:
        """Read an object or a list, as the server sends it; `accept` may ask for another form of it."""
        return self._send("GET", path, query=query, forms={"Accept": accept}).data

    def create(self, path: str, thing: Mapping[str, Any]) -> Json:
        """Create an object."""
        return self._json("POST", path, body=thing)

    def replace(self, path: str, thing: Mapping[str, Any]) -> Json:
        """Replace an object; a conflict if it has changed since it was read."""
        return self._json("PUT", path, body=thing)

    def patch(self, path: str, change: Mapping[str, Any]) -> Json:
        """Change an object by a merge patch."""
        return self._json("PATCH", path, body=change, forms={"Content-Type": MERGE_PATCH})

    def delete(self, path: str, uid: str | None = None) -> None:
        """Delete an object, with `uid` only that very one; nothing happens if it is gone."""
        body = {"preconditions": {"uid": uid}} if uid else {}
        try:
            self._json("DELETE", path, body=body)
        except RefusedError as error:
            if error.status != 404:
                raise

    def watch(self, path: str, name: str, seconds: float) -> Iterator[tuple[str, Json]]:
        """Yield (event type, object) for one object, beginning with its present state, for at most `seconds`."""
        query = {"watch": "1", "fieldSelector": f"metadata.name={name}", "timeoutSeconds": str(max(1, int(seconds)))}
        timeout = urllib3.Timeout(connect=10, read=seconds + _SLACK)
        answer = self._send("GET", path, query=query, timeout=timeout, stream=True)
        try:
            for line in _lines(answer):
                event = self._decoded(path, line)
                yield event["type"], event["object"]
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(error) from None
        finally:
            answer.close()

    def _json(self, method: str, path: str, **request: Any) -> Json:  # noqa: ANN401 - as `_send` takes them
        return self._decoded(path, self._send(method, path, **request).data)

    def _decoded(self, path: str, body: bytes) -> Json:
        """Read JSON. A proxy on the way may answer with a page of its own, and with 200."""
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ApisnoopError(
                f"{self.configuration.host} does not answer like an API server to {path}: it sends no JSON object; "
                "see whether something else listens there, or stands in between"
            )
        return answer

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        forms: Mapping[str, str] | None = None,
        timeout: urllib3.Timeout | None = None,
        stream: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request.

        Raises RefusedError for an error of the server, ApisnoopError if there is no answer.
        """
        url = f"{self.configuration.host.rstrip('/')}{path}{f'?{urlencode(query)}' if query else ''}"
        encoded = None if body is None else json.dumps(body).encode()
        headers = {**self._headers(), **(forms or {})}
        try:
            answer = self._pool.request(
                method,
                url,
                body=encoded,
                headers=headers,
                timeout=timeout or self._timeout,
                preload_content=not stream,
                retries=False,
            )
            if answer.status < 400:
                return answer
            message = message_of(answer.data)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(error) from None
        raise RefusedError(f"{_DOING[method]} {path}", answer.status, message)

    def _unreachable(self, error: Exception) -> ApisnoopError:
        return ApisnoopError(f"cannot reach the API server {self.configuration.host}: {cause_of(error)}; {_CHECK}")

    def _headers(self) -> dict[str, str]:
        forms = {"Accept": JSON, "Content-Type": JSON, "User-Agent": f"{self._program}/{__version__}"}
        return {**forms, **authorization(self.configuration)}


_DOING = {"GET": "read", "POST": "create in", "PUT": "update", "PATCH": "change", "DELETE": "delete"}


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Split a stream into lines as they arrive."""
    rest = b""
    for chunk in answer.stream(amt=None):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from filter(None, lines)


def message_of(body: bytes) -> str:
    """Take the message out of a Status; what a server says to a refused Secret does not quote it."""
    try:
        return " ".join(str(json.loads(body).get("message", "")).split())
    except (ValueError, AttributeError):
        return ""
