"""An API server with pods and one namespace, as far as the node agent asks, for `benchmarks.agent`."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from aiohttp import web

from benchmarks.agent_pods import FakePod

_SERVICE = {"metadata": {"name": "kubernetes"}, "spec": {"clusterIPs": ["10.96.0.1"], "ports": [{"port": 443}]}}
_SLICE = {
    "metadata": {"name": "kubernetes"},
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.89.0.1"]}],
    "ports": [{"port": 6443}],
}


class Server:
    """Runs in a thread of its own; `mark` may be called from any other."""

    def __init__(self, pods: list[FakePod]) -> None:
        self._versions = itertools.count(1)
        self._objects = {
            "/api/v1/pods": {pod.uid: _pod(index, pod) for index, pod in enumerate(pods)},
            "/api/v1/namespaces": {"shop": {"metadata": {"name": "shop", "uid": "n"}}},
            "/api/v1/namespaces/default/services": {"s": _SERVICE},
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices": {"e": _SLICE},
        }
        self._watches: dict[str, list[asyncio.Queue[bytes]]] = {}
        self._loop = asyncio.new_event_loop()
        self.port = 0

    def mark(self, path: str, key: str, part: str, words: dict[str, str]) -> None:
        """Change annotations or labels of an object."""
        found = self._objects[path][key]
        changed = found | {"metadata": {**found["metadata"], part: words}}
        self._objects[path][key] = changed
        line = json.dumps({"type": "MODIFIED", "object": self._versioned(changed)}).encode() + b"\n"
        self._loop.call_soon_threadsafe(self._tell, path, line)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve on a free port of loopback."""
        thread = Thread(target=self._loop.run_forever)
        thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    async def _start(self) -> None:
        application = web.Application()
        application.router.add_get("/{path:.*}", self._answer)
        application.router.add_post("/{path:.*}", self._take)
        application.router.add_patch("/{path:.*}", self._take)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _end(self) -> None:
        for path in self._watches:
            self._tell(path, b"")
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        objects = self._objects.get(request.path, {})
        if "watch" not in request.query:
            items = [self._versioned(one) for one in objects.values()]
            return web.json_response({"metadata": {"resourceVersion": "0"}, "items": items})
        answer = web.StreamResponse()
        await answer.prepare(request)
        lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._watches.setdefault(request.path, []).append(lines)
        while line := await lines.get():
            await answer.write(line)
        return answer

    async def _take(self, request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({}, status=201)

    def _tell(self, path: str, line: bytes) -> None:
        for lines in self._watches.get(path, []):
            lines.put_nowait(line)

    def _versioned(self, thing: Any) -> Any:  # noqa: ANN401 - JSON
        return thing | {"metadata": {**thing["metadata"], "resourceVersion": str(next(self._versions))}}


def _pod(index: int, pod: FakePod) -> dict[str, Any]:
    """Make a running pod of usual size."""
    environment = [{"name": f"SETTING_{number}", "value": "x" * 40} for number in range(80)]
    return {
        "metadata": {"name": f"web-{index}", "namespace": "shop", "uid": pod.uid},
        "spec": {"serviceAccountName": "web", "containers": [{"name": "app", "env": environment}]},
        "status": {"phase": "Running", "podIPs": [{"ip": pod.address}]},
    }
