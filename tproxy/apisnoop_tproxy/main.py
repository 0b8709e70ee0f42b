"""The command line of the node agent's image: `apisnoop-tproxy agent`."""

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import click

from apisnoop.errors import ApisnoopError
from apisnoop_tproxy.processes import HOST


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Lead the API connections of pods that ask for it to the node's proxy."""


@cli.command()
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="Instead of the pod's own service account.")
def agent(kubeconfig: Path | None) -> None:
    """Serve this node until told to stop; settings are environment variables (tproxy/README.md)."""
    from apisnoop_tproxy.api import from_kubeconfig, in_cluster  # noqa: PLC0415 - `wait` has to start fast
    from apisnoop_tproxy.nft import require_library  # noqa: PLC0415
    from apisnoop_tproxy.settings import read_settings  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    settings = read_settings(os.environ)
    require_library()
    _require_node()
    access = in_cluster() if kubeconfig is None else from_kubeconfig(kubeconfig)
    from apisnoop_tproxy.serve import serve  # noqa: PLC0415

    asyncio.run(_until_stopped(serve(settings, access)))


def main() -> None:
    """Run the command line; what the user can mend is one line, without a traceback."""
    try:
        cli(standalone_mode=True)
    except ApisnoopError as error:
        click.echo(f"apisnoop-tproxy: {error}", err=True)
        sys.exit(error.exit_code)


def _require_node() -> None:
    """Raise ApisnoopError unless the node's own namespaces and files can be seen."""
    try:
        (HOST / "ns/net").stat()
        (HOST / "root").stat()
    except OSError as error:
        raise ApisnoopError(
            f"cannot look at the node's first process: {error.strerror}; the agent needs hostPID and SYS_PTRACE"
        ) from None


async def _until_stopped(work: "asyncio._CoroutineLike[None]") -> None:
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
