"""A minimal client of the API server, for bringing a cluster up.

Starting kubectl costs more than most of these requests; and waiting is done by watching, not by asking again. Its user
is `apisnoop-cluster-setup`, so an audit log tells these calls from those of a test.
"""

from __future__ import annotations

import http.client
import json
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from .pki import KeyPair

USER = "apisnoop-cluster-setup"

_CONNECT_TIMEOUT = 10.0


class ApiError(RuntimeError):
    """The API server refused a request."""


class Api:
    """Requests to one API server with a client certificate."""

    def __init__(self, url: str, ca: Path, client: KeyPair) -> None:
        address = urlsplit(url)
        self._host, self._port = str(address.hostname), address.port
        self._tls = ssl.create_default_context(cafile=str(ca))
        self._tls.load_cert_chain(client.certificate, client.key)

    def get(self, path: str) -> Any:
        """Return the JSON at a path."""
        return self._request("GET", path)

    def create(self, path: str, body: dict[str, Any]) -> Any:
        """Post an object to its collection and return what was stored."""
        return self._request("POST", path, body)

    def delete(self, path: str) -> None:
        """Delete an object; that may take longer than this."""
        self._request("DELETE", path)

    def is_ready(self) -> bool:
        """Ask /readyz; no answer at all is a no."""
        try:
            with self._open("GET", "/readyz", timeout=_CONNECT_TIMEOUT) as response:
                return response.status == http.HTTPStatus.OK
        except OSError:
            return False

    def wait_for(self, path: str, found: Callable[[Iterable[dict[str, Any]]], bool], seconds: float) -> None:
        """Wait until the objects of a collection satisfy `found`, by watching the collection.

        Raises TimeoutError that names the collection.
        """
        listing = self.get(path)
        objects = {item["metadata"]["uid"]: item for item in listing["items"]}
        if found(objects.values()):
            return
        for event in self._watch(path, listing["metadata"]["resourceVersion"], seconds):
            changed = event["object"]
            if event["type"] == "ERROR":
                raise ApiError(f"watching {path} ended: {changed.get('message')}")
            if event["type"] == "DELETED":
                objects.pop(changed["metadata"]["uid"], None)
            else:
                objects[changed["metadata"]["uid"]] = changed
            if found(objects.values()):
                return
        raise TimeoutError(f"{path} was not as expected after {seconds:.0f} s: {_brief(objects.values())}")

    def _watch(self, path: str, version: str, seconds: float) -> Iterator[dict[str, Any]]:
        """Yield the changes of a collection until the time is over."""
        query = f"{path}{'&' if '?' in path else '?'}watch=true&resourceVersion={version}"
        with self._open("GET", f"{query}&timeoutSeconds={max(1, round(seconds))}", timeout=seconds + 5) as response:
            for line in response:
                yield json.loads(line)

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        with self._open(method, path, body, timeout=_CONNECT_TIMEOUT) as response:
            content = response.read()
            if response.status >= http.HTTPStatus.BAD_REQUEST:
                raise ApiError(f"{method} {path} answered {response.status}: {content.decode(errors='replace')}")
        return json.loads(content)

    def _open(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, timeout: float
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection(self._host, self._port, context=self._tls, timeout=timeout)
        headers = {"Accept": "application/json", "Content-Type": "application/json", "Connection": "close"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        return connection.getresponse()


def _brief(objects: Iterable[dict[str, Any]]) -> str:
    return json.dumps([{"name": item["metadata"]["name"], "status": item.get("status")} for item in objects])[:2000]
