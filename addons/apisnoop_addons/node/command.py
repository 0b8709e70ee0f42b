"""`apisnoop-proxy`: the command line of the node's proxy container, and its probes.

A probe is a new process every few seconds on every node, so nothing of mitmproxy is imported for it.
"""

import asyncio
import os
from typing import NoReturn

import click

from apisnoop_addons.node.settings import settings_from
from apisnoop_addons.program import CONTEXT, ask_health, log_to_stderr, run_program

PROGRAM = "apisnoop-proxy"
PATIENCE = 3.0
"""Seconds within which the proxy has to say how it is."""


@click.group(invoke_without_command=True, context_settings=CONTEXT)
@click.pass_context
def cli(context: click.Context) -> None:
    """Carry and record the API connections that the node agent hands over. Settings are environment variables."""
    if context.invoked_subcommand is None:
        from apisnoop_addons.collection import spare_what_stays  # noqa: PLC0415 - the probe starts without them
        from apisnoop_addons.node.serve import run  # noqa: PLC0415

        log_to_stderr()
        spare_what_stays()
        asyncio.run(run(settings_from(os.environ)))


@cli.command()
@click.option("--ready", is_flag=True, help="Ask whether what it records is kept, not only whether it answers.")
def healthy(*, ready: bool) -> None:
    """Ask the running proxy whether it is well (the container's probes)."""
    ask_health("the proxy", settings_from(os.environ).listen, PATIENCE, ready=ready)


def main() -> NoReturn:
    """Run the command line and leave with one of the exit codes of `apisnoop.errors.ExitCode`."""
    run_program(cli, PROGRAM)
