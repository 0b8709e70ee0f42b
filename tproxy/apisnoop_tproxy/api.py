"""Talking to the API server within the agent's one event loop: lists and watches.

With the service account of the pod, or a kubeconfig for trying things out. Nothing here knows what objects mean.
"""

import os
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from apisnoop import __version__
from apisnoop.errors import ApisnoopError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
METADATA_ONLY = "application/json;as=PartialObjectMetadata{list};v=v1;g=meta.k8s.io,application/json"
_CONNECT_SECONDS = 10
_WRITE_SECONDS = 10
_SILENCE_SECONDS = 400
"""A watch is closed by the server after five minutes at most; one that is silent longer has lost its server."""


class RefusedError(Exception):
    """The server answered, but not with what was asked for."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"{what}: the API server answered {status}")
        self.status = status


class Access(msgspec.Struct, frozen=True):
    """How to reach a server."""

    url: str
    ca_file: str = ""
    token_file: Path | None = None
    certificate: tuple[str, str] | None = None
    """Files of a client certificate and its key."""


def in_cluster(environment: Mapping[str, str] = os.environ, folder: Path = SERVICE_ACCOUNT) -> Access:
    """Find the API server as a program in a pod does. Raises ApisnoopError outside of one."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (folder / "token").exists():
        raise ApisnoopError("this is no pod with a service account; give a kubeconfig with --kubeconfig")
    where = f"[{host}]" if ":" in host else host
    return Access(f"https://{where}:{port}", str(folder / "ca.crt"), folder / "token")


def from_kubeconfig(path: Path) -> Access:
    """Read server and client certificate of a kubeconfig. Raises ApisnoopError."""
    from kubernetes import client, config  # noqa: PLC0415 - 40 MB that no pod needs

    configuration = client.Configuration()
    try:
        config.load_kube_config(str(path), client_configuration=configuration, persist_config=False)
    except (config.ConfigException, OSError) as error:
        raise ApisnoopError(f"cannot use kubeconfig {path}: {error}") from None
    certificate = (configuration.cert_file, configuration.key_file) if configuration.cert_file else None
    return Access(configuration.host.rstrip("/"), configuration.ssl_ca_cert or "", certificate=certificate)


class Api:
    """Use as an async context manager."""

    def __init__(self, access: Access) -> None:
        self._access = access
        context = ssl.create_default_context(cafile=access.ca_file or None)
        if access.certificate is not None:
            context.load_cert_chain(*access.certificate)
        self._context = context

    async def __aenter__(self) -> "Api":  # noqa: PYI034 - nobody derives from it
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._context, limit=0),
            timeout=timeout,
            headers={"User-Agent": f"apisnoop-tproxy/{__version__}"},
            read_bufsize=1 << 20,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None, *, metadata: str | None = None) -> bytes:
        """Fetch a path; `metadata`: only that of an object (""), or of a list ("List"). Raises RefusedError."""
        async with self._session.get(self._access.url + path, params=query, headers=self._headers(metadata)) as answer:
            body = await answer.read()
            if answer.status != 200:
                raise RefusedError(answer.status, path)
            return body

    async def create(self, path: str, thing: Mapping[str, Any]) -> None:
        """Create an object in the collection at a path. Raises RefusedError, aiohttp.ClientError, TimeoutError."""
        await self._send("POST", path, thing, "application/json")

    async def patch(self, path: str, change: Mapping[str, Any]) -> None:
        """Change an object by a merge patch. Raises RefusedError, aiohttp.ClientError, TimeoutError."""
        await self._send("PATCH", path, change, "application/merge-patch+json")

    async def _send(self, method: str, path: str, body: Mapping[str, Any], form: str) -> None:
        headers = {**self._headers(None), "Content-Type": form}
        timeout = aiohttp.ClientTimeout(total=_WRITE_SECONDS)
        url, data = self._access.url + path, msgspec.json.encode(body)
        async with self._session.request(method, url, data=data, headers=headers, timeout=timeout) as answer:
            await answer.read()
            if answer.status not in {200, 201}:
                raise RefusedError(answer.status, f"{method} {path}")

    async def lines(self, path: str, query: Mapping[str, str], *, metadata: bool) -> AsyncIterator[bytes]:
        """Fetch a path that answers line by line, as long as it does. Raises RefusedError."""
        headers = self._headers("" if metadata else None)
        async with self._session.get(self._access.url + path, params=query, headers=headers) as answer:
            if answer.status != 200:
                raise RefusedError(answer.status, path)
            rest = b""
            async for chunk in answer.content.iter_any():
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    yield line

    def _headers(self, metadata: str | None) -> dict[str, str]:
        headers = {"Accept": "application/json" if metadata is None else METADATA_ONLY.format(list=metadata)}
        if self._access.token_file is not None:  # read each time: the kubelet renews it
            headers["Authorization"] = f"Bearer {self._access.token_file.read_text().strip()}"
        return headers
