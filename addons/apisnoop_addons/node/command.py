"""`apisnoop-proxy`: the command line of the node's proxy container, and its probe.

The probe is a new process every few seconds on every node, so nothing of mitmproxy is imported for it.
"""

import asyncio
import http.client
import logging
import os
import sys
from typing import NoReturn

import click

from apisnoop.errors import ApisnoopError, ExitCode
from apisnoop_addons.node.settings import settings_from

PROGRAM = "apisnoop-proxy"
PATIENCE = 3.0
"""Seconds within which the proxy has to say how it is."""


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def cli(context: click.Context) -> None:
    """Carry and record the API connections that the node agent hands over. Settings are environment variables."""
    if context.invoked_subcommand is None:
        from apisnoop_addons.collection import spare_what_stays  # noqa: PLC0415 - the probe starts without them
        from apisnoop_addons.node.serve import run  # noqa: PLC0415

        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
        spare_what_stays()
        asyncio.run(run(settings_from(os.environ)))


@cli.command()
def healthy() -> None:
    """Ask the running proxy whether it keeps what it records (the container's probe)."""
    connection = http.client.HTTPConnection(*settings_from(os.environ).listen, timeout=PATIENCE)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        told = answer.read().decode(errors="replace").strip()
    except (http.client.HTTPException, OSError) as error:
        raise ApisnoopError(f"the proxy is not well: {error}; its log says more") from None
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ApisnoopError(f"the proxy is not well: {told}")


def main() -> NoReturn:
    """Run the command line and leave with one of the exit codes of `apisnoop.errors.ExitCode`."""
    try:
        cli.main(prog_name=PROGRAM, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(ExitCode.INTERRUPTED)
    except ApisnoopError as error:
        click.echo(f"{PROGRAM}: {error}", err=True)
        sys.exit(error.exit_code)
    sys.exit(ExitCode.OK)
