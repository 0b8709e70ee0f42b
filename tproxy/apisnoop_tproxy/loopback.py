"""The agent's HTTP on loopback: its state as JSON, its health for probes, its figures for Prometheus if wanted.

Only loopback is listened on, but for figures, if wanted: who may port-forward into this pod is the cluster's RBAC's
business. Nothing can be asked for here that changes anything.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from aiohttp import web

from apisnoop.causes import cause_of
from apisnoop.errors import ApisnoopError
from apisnoop_tproxy.agent import Agent
from apisnoop_tproxy.cluster import Cluster
from apisnoop_tproxy.figures import CONTENT_TYPE, render_metrics
from apisnoop_tproxy.pod_state import Condition
from apisnoop_tproxy.settings import Settings
from apisnoop_tproxy.status import status_of

_NO_STORE = {"Cache-Control": "no-store"}
type Handler = Callable[[web.Request], Awaitable[web.Response]]


class Loopback:
    """Use as an async context manager, in the agent's event loop."""

    def __init__(self, settings: Settings, agent: Agent, cluster: Cluster) -> None:
        self._settings, self._agent, self._cluster = settings, agent, cluster
        self._runners: list[web.AppRunner] = []

    async def __aenter__(self) -> "Loopback":  # noqa: PYI034 - nobody derives from it
        handlers: dict[str, Handler] = {"/status": self._status, "/healthz": self._healthz, "/readyz": self._readyz}
        figures: dict[str, Handler] = {"/metrics": self._metrics}
        try:
            of_loopback = handlers | (figures if self._settings.metrics else {})
            await self._listen("APISNOOP_LISTEN", self._settings.listen, of_loopback)
            if self._settings.metrics_listen is not None:
                await self._listen("APISNOOP_METRICS_LISTEN", self._settings.metrics_listen, figures)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _listen(self, setting: str, address: tuple[str, int], handlers: Mapping[str, Handler]) -> None:
        application = web.Application(client_max_size=1 << 12)
        application.add_routes([web.get(path, handler) for path, handler in handlers.items()])
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        self._runners.append(runner)
        await runner.setup()
        try:
            await web.TCPSite(runner, *address).start()
        except OSError as error:
            where = f"{address[0]}:{address[1]}"
            raise ApisnoopError(f"cannot listen on {where} ({setting}): {cause_of(error)}") from None

    async def __aexit__(self, *_: object) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def _status(self, _: web.Request) -> web.Response:
        chain = await asyncio.to_thread(_read, self._settings.certificate)
        existing = await asyncio.to_thread(self._agent.count_existing)
        body = msgspec.json.encode(status_of(self._agent, chain, existing))
        return web.Response(body=body, content_type="application/json", headers=_NO_STORE)

    async def _healthz(self, _: web.Request) -> web.Response:
        """The loop answers: whatever else is wrong, to start anew would not mend it."""
        return web.Response(text="ok\n", headers=_NO_STORE)

    async def _readyz(self, _: web.Request) -> web.Response:
        """New pods would be recorded from their first call; if not for want of a certificate, that is not our fault."""
        why = "" if self._cluster.complete else "the pods of this node are not known yet"
        if not why and not self._agent.offering:
            why = "the node's proxy is not there"
        return web.Response(text=(why or "ok") + "\n", status=503 if why else 200, headers=_NO_STORE)

    async def _metrics(self, _: web.Request) -> web.Response:
        agent = self._agent
        states = [pod.state for pod in agent.pods.values() if pod.state.name is not Condition.OFF]
        text = render_metrics(agent.figures, states, agent.leases, proxy=agent.served)
        return web.Response(body=text.encode(), headers={**_NO_STORE, "Content-Type": CONTENT_TYPE})


def _read(path: Path) -> bytes:
    with suppress(OSError):
        return path.read_bytes()
    return b""
