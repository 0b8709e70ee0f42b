"""`apisnoop-mitmweb`: the command line of the viewer's container, and its probe. It has no key and no token.

The probe is a new process every minute on every node, so nothing of mitmproxy is imported for it.
"""

import asyncio
import logging
import os
import signal
from typing import NoReturn

import click

from apisnoop.causes import cause_of
from apisnoop.errors import ApisnoopError
from apisnoop_addons.program import CONTEXT, ask_health, log_to_stderr, run_program
from apisnoop_addons.web.settings import Settings, settings_from

PROGRAM = "apisnoop-mitmweb"
PATIENCE = 5.0
"""Seconds within which the viewer has to answer."""

logger = logging.getLogger(__name__)


@click.group(invoke_without_command=True, context_settings=CONTEXT)
@click.pass_context
def cli(context: click.Context) -> None:
    """Show the proxy's calls in a browser, redacted, for looking only. Settings are environment variables."""
    if context.invoked_subcommand is None:
        log_to_stderr()
        asyncio.run(run(settings_from(os.environ)))


@cli.command()
def healthy() -> None:
    """Ask the running viewer whether it answers (the container's probe)."""
    ask_health("the viewer", settings_from(os.environ).listen, PATIENCE)


def main() -> NoReturn:
    """Run the command line and leave with one of the exit codes of `apisnoop.errors.ExitCode`."""
    run_program(cli, PROGRAM)


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises ApisnoopError where it cannot listen."""
    from tornado.netutil import bind_sockets  # noqa: PLC0415 - the probe needs none of it

    from apisnoop_addons.bound import Bounds  # noqa: PLC0415
    from apisnoop_addons.web.login import HashedLogin  # noqa: PLC0415
    from apisnoop_addons.web.source import follow  # noqa: PLC0415
    from apisnoop_addons.web.viewer import Viewer  # noqa: PLC0415

    host, port = settings.listen
    try:
        sockets = bind_sockets(port, host)
    except OSError as error:
        raise ApisnoopError(
            f"cannot listen on {host}:{port}: {cause_of(error)}; give another by APISNOOP_UI_LISTEN"
        ) from None
    viewer = Viewer(HashedLogin(settings.password_hash), Bounds(settings.flows, settings.size))
    viewer.listen(sockets)
    work = asyncio.create_task(follow(settings.feed, viewer.take))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    logger.info("showing calls of node %s at http://%s:%d: forward that port to look", settings.node or "?", host, port)
    try:
        await asyncio.wait([work])
        if not work.cancelled():
            work.result()
    finally:
        await viewer.close()
