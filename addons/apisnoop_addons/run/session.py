"""The run itself: listeners, kubeconfig, proxy, command, one after the other, and everything put away again."""

import asyncio
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from apisnoop import __version__
from apisnoop.calls.tally import TallyBatch
from apisnoop.cli.options import open_catalogue
from apisnoop.operations.catalogue import Catalogue
from apisnoop.store.queries import RunRow
from apisnoop_addons.engine.proxy import Proxy
from apisnoop_addons.identify import Identify
from apisnoop_addons.late_catalogue import LateCatalogue
from apisnoop_addons.record import Record
from apisnoop_addons.run.certificates import make_loopback_certificate
from apisnoop_addons.run.child import Child, Ended
from apisnoop_addons.run.credentials import ClientCertificates
from apisnoop_addons.run.exec_plugin import render_clusters
from apisnoop_addons.run.exec_wrapper import CLUSTERS
from apisnoop_addons.run.kubeconfig import Kubeconfig, current_cluster, current_user, render_kubeconfig
from apisnoop_addons.run.ledger import Ledger
from apisnoop_addons.run.listeners import address_of, open_listeners
from apisnoop_addons.run.notices import Notices
from apisnoop_addons.run.proxies import exempt_loopback
from apisnoop_addons.run.redirect import Redirect, redirect
from apisnoop_addons.run.relay import Relay
from apisnoop_addons.run.server_version import ask_version
from apisnoop_addons.run.servers import Server
from apisnoop_addons.run.settings import Settings
from apisnoop_addons.run.ui import Ui
from apisnoop_addons.stream import Stream

GRACE = 1.0
"""Seconds that connections get to end by themselves after the command has."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run."""

    ended: Ended
    run: RunRow
    catalogue: Catalogue
    total: TallyBatch
    """All calls of the command."""
    troubles: tuple[str, ...]
    """What could not be kept, in sentences."""


class Session:
    """One run, inside an event loop. Use: `await Session(...).run()`, once."""

    def __init__(
        self, settings: Settings, kubeconfig: Kubeconfig, servers: Mapping[str, Server], folder: Path, notices: Notices
    ) -> None:
        """`servers` are the clusters to listen for, `folder` is the run's own."""
        self._settings = settings
        self._kubeconfig = kubeconfig
        self._servers = servers
        self._folder = folder
        self._notices = notices
        self._certificate = make_loopback_certificate()
        self._catalogue = LateCatalogue()
        self._ledger = Ledger(settings.db, settings.calls)

    async def run(self, environment: Mapping[str, str], relay: Relay, mask: set[int], ui: Ui) -> Result:
        """Run the command with `environment` and signal mask; `relay` gets it to pass signals on to.

        Raises ApisnoopError before the command is started; nothing is left behind then.
        """
        watchers = await self._open(ui, environment) if self._settings.ui else ()
        await self._ledger.open()
        proxy = Proxy(Stream(), Identify(), Record(self._catalogue, self._ledger.record), *watchers)
        await proxy.start()
        run: RunRow | None = None
        try:
            redirects = await self._listen(proxy)
            kubeconfig = self._write_kubeconfig(redirects)
            catalogue = await self._choose_catalogue(redirects)
            child = relay.child = Child(self._settings.command, child_environment(environment, kubeconfig), mask)
            run = begun_run(self._settings.command)
            self._ledger.begin(run, catalogue)
            ended = await child.wait()
            run = msgspec.structs.replace(run, ended=time.time(), exit_code=ended.code)
        finally:
            await proxy.stop(GRACE)
            if run is not None:
                run = msgspec.structs.replace(run, calls=self._ledger.count)
            await self._ledger.close(run)
        return Result(ended, run, catalogue, self._ledger.total, tuple(self._ledger.troubles))

    async def _open(self, ui: Ui, environment: Mapping[str, str]) -> tuple[object, ...]:
        from apisnoop_addons.bodies import Bodies  # noqa: PLC0415 - few runs have a UI
        from apisnoop_addons.redact import Redact  # noqa: PLC0415

        await ui.start(self._settings.ui_port, environment)
        bodies = (Bodies(self._catalogue),) if self._settings.ui_bodies else ()
        return (*bodies, Redact(lambda copy: ui.show(copy) if self._ledger.has_begun else None))

    @property
    def _plugin_folder(self) -> Path:
        return self._folder / "plugins"

    async def _listen(self, proxy: Proxy) -> dict[str, Redirect]:
        certificates = ClientCertificates(self._kubeconfig.users, self._plugin_folder)
        listeners = open_listeners(self._servers.values(), self._certificate.server, certificates, self._notices)
        for listener in listeners:
            await proxy.listen(listener)
        return {of.label: Redirect(self._servers[of.label], address_of(of)) for of in listeners}

    def _write_kubeconfig(self, redirects: Mapping[str, Redirect]) -> Path:
        self._plugin_folder.mkdir(mode=0o700)
        entries = self._kubeconfig.clusters
        (self._plugin_folder / CLUSTERS).write_text(
            render_clusters({to.address: (to.server, entries[name]) for name, to in redirects.items()})
        )
        redirected = redirect(self._kubeconfig, redirects, self._certificate.authority, self._plugin_folder)
        path = self._folder / "config"
        path.touch(mode=0o600)
        path.write_text(render_kubeconfig(redirected))
        return path

    async def _choose_catalogue(self, redirects: Mapping[str, Redirect]) -> Catalogue:
        settings, version = self._settings, ""
        to = redirects.get(current_cluster(self._kubeconfig))
        if settings.spec is None and to is not None:
            user = self._kubeconfig.users.get(current_user(self._kubeconfig), {})
            authority = self._certificate.authority if to.server.scheme == "https" else None
            with self._notices.muted():
                version = await asyncio.to_thread(ask_version, to.address, to.server.path, user, authority)
        catalogue = await asyncio.to_thread(
            open_catalogue, settings.spec, settings.kubeconfig, settings.context, server_version=version
        )
        self._catalogue.become(catalogue)
        return catalogue


def child_environment(environment: Mapping[str, str], kubeconfig: Path) -> dict[str, str]:
    """Return the command's environment: ours, but for the kubeconfig and what keeps proxies off loopback."""
    return {**environment, **exempt_loopback(environment), "KUBECONFIG": str(kubeconfig)}


def begun_run(command: Sequence[str]) -> RunRow:
    """Return what the store keeps of a run that begins now; arguments may hold secrets and are not kept."""
    return RunRow(
        id=uuid.uuid4().hex,
        command=Path(command[0]).name,
        host=socket.gethostname(),
        started=time.time(),
        ended=None,
        exit_code=None,
        calls=0,
        version=__version__,
    )
