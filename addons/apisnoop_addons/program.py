"""What the programs of containers have in common: settings from the environment, one line for what goes wrong, a probe.

The probe is a new process every few seconds on every node, so nothing of mitmproxy is imported here.
"""

import http.client
import logging
import sys
from typing import NoReturn

import click

from apisnoop.causes import cause_of
from apisnoop.errors import ApisnoopError, ExitCode

CONTEXT = {"help_option_names": ["-h", "--help"]}
"""Of every command line."""
MOST_TOLD = 1024
"""Bytes of an answer that are read: it is one line."""


def log_to_stderr() -> None:
    """Write what is logged to standard error, which the container's runtime keeps."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)


def run_program(commands: click.Command, name: str) -> NoReturn:
    """Run a command line and leave with one of the exit codes of `apisnoop.errors.ExitCode`."""
    try:
        commands.main(prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(ExitCode.INTERRUPTED)
    except ApisnoopError as error:
        click.echo(f"{name}: {error}", err=True)
        sys.exit(error.exit_code)
    sys.exit(ExitCode.OK)


def ask_health(what: str, address: tuple[str, int], patience: float, *, ready: bool = False) -> None:
    """Ask the running program whether it is well, or even ready, for `patience` seconds. `what` is it called in words.

    Raises ApisnoopError if it is not: any answer but 200 says why.
    """
    state = "ready" if ready else "well"
    connection = http.client.HTTPConnection(*address, timeout=patience)
    try:
        connection.request("GET", "/readyz" if ready else "/healthz")
        with connection.getresponse() as answer:
            told = answer.read(MOST_TOLD).decode(errors="replace").strip()
    except (http.client.HTTPException, OSError) as error:
        raise ApisnoopError(f"{what} is not {state}: {cause_of(error)}; its log says more") from None
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ApisnoopError(f"{what} is not {state}: {told or answer.status}")
