"""Starts a run: what can be known to be wrong is said first, then signals are taken, then the session begins."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress

from apisnoop.errors import ApisnoopError
from apisnoop_addons.run.child import find_command
from apisnoop_addons.run.folder import run_folder, runtime_folder
from apisnoop_addons.run.kubeconfig import Kubeconfig, current_cluster, load_kubeconfig
from apisnoop_addons.run.notices import Notices
from apisnoop_addons.run.relay import Relay
from apisnoop_addons.run.servers import Server, server_of
from apisnoop_addons.run.session import Result, Session
from apisnoop_addons.run.settings import Settings
from apisnoop_addons.run.signals import SignalWatch
from apisnoop_addons.run.ui import Ui


def start_run(settings: Settings) -> int:
    """Run the command of `settings` and return the exit code. Raises ApisnoopError where it cannot be run."""
    environment = dict(os.environ)
    notices = Notices(quiet=settings.quiet)
    find_command(settings.command[0], environment.get("PATH"))
    kubeconfig = load_kubeconfig(environment, settings.kubeconfig, settings.context)
    servers = usable_servers(kubeconfig, environment)
    with asyncio.Runner() as runner, notices.faults_told():
        relay, ui = Relay(runner.get_loop()), Ui(notices)
        try:
            with (
                SignalWatch(relay.receive) as watch,
                run_folder(runtime_folder(environment), if_killed(settings)) as folder,
            ):
                session = Session(settings, kubeconfig, servers, folder, notices)
                result = runner.run(_run(session, ui, environment, relay, watch.outer_mask))
            code = _conclude(result, settings, environment, notices)
            _linger(runner, ui)
        except asyncio.CancelledError:
            return 128 + (relay.ended_by or signal.SIGINT)
        finally:
            runner.run(ui.close())
    if relay.interrupted and result.ended.signal == signal.SIGINT:
        die_likewise(signal.SIGINT)
    return code


def if_killed(settings: Settings) -> str:
    """Say what is left of a run that was killed before it could report."""
    return (
        f"apisnoop run: killed before it could report; the calls that had ended are in {settings.db}, those still open "
        f"are not counted: apisnoop coverage --db {settings.db}"
    )


def usable_servers(kubeconfig: Kubeconfig, environment: Mapping[str, str]) -> dict[str, Server]:
    """Return the servers that can be listened for, by cluster.

    A cluster entry that is broken stays as it is, for the client to complain about should it be used; only for the
    current context that would be too late. Raises ApisnoopError for that one, and where there is no cluster at all.
    """
    servers = {}
    for name, entry in kubeconfig.clusters.items():
        try:
            servers[name] = server_of(name, entry, environment)
        except ApisnoopError:
            if name == current_cluster(kubeconfig):
                raise
    if not servers:
        files = ", ".join(map(str, kubeconfig.origins))
        raise ApisnoopError(f"kubeconfig {files} has no cluster that can be used; name another one with --kubeconfig")
    return servers


def die_likewise(number: int) -> None:
    """End as the command did after Ctrl-C: of the signal, so that a script that runs us stops as it would without us.

    https://www.cons.org/cracauer/sigint.html
    """
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


async def _run(session: Session, ui: Ui, environment: Mapping[str, str], relay: Relay, mask: set[int]) -> Result:
    relay.preparing = asyncio.current_task()
    return await session.run(environment, relay, mask, ui)


def _conclude(result: Result, settings: Settings, environment: Mapping[str, str], notices: Notices) -> int:
    from apisnoop_addons.run.conclusion import conclude  # noqa: PLC0415 - reports would delay the command

    return conclude(result, settings, environment, notices)


def _linger(runner: asyncio.Runner, ui: Ui) -> None:
    """Leave the UI open for a person; a script is not kept waiting."""
    if sys.stderr.isatty():
        with suppress(KeyboardInterrupt):
            runner.run(ui.linger())
