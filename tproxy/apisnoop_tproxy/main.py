"""The command line of the node agent's image: the agent, its probe, and what is injected into pods."""

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

import click

from apisnoop.errors import ApisnoopError

_PROBE_SECONDS = 4.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Lead the API connections of pods that ask for it to the node's proxy."""


@cli.command()
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="Instead of the pod's own service account.")
def agent(kubeconfig: Path | None) -> None:
    """Serve this node until told to stop; settings are environment variables (tproxy/README.md)."""
    from apisnoop_tproxy.api import from_kubeconfig, in_cluster  # noqa: PLC0415 - `wait` has to start fast
    from apisnoop_tproxy.hierarchy import join_cgroup_namespace  # noqa: PLC0415
    from apisnoop_tproxy.nft import require_library  # noqa: PLC0415
    from apisnoop_tproxy.processes import require_node  # noqa: PLC0415
    from apisnoop_tproxy.serve import serve_until_stopped  # noqa: PLC0415
    from apisnoop_tproxy.settings import Interception, read_settings  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    settings = read_settings(os.environ)
    if settings.interception is Interception.AGENT:
        require_library()
        require_node()
        join_cgroup_namespace()
    serve_until_stopped(settings, in_cluster() if kubeconfig is None else from_kubeconfig(kubeconfig))


@cli.command()
@click.option("--ready", is_flag=True, help="Ask whether new pods would be recorded, not only whether it answers.")
def healthy(*, ready: bool) -> None:
    """Ask the agent of this container whether it is well (the container's probes)."""
    import http.client  # noqa: PLC0415

    from apisnoop_tproxy.settings import read_listen  # noqa: PLC0415

    host, port = read_listen(os.environ)
    connection = http.client.HTTPConnection(host, port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/readyz" if ready else "/healthz")
        answer = connection.getresponse()
        said = answer.read(1024).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise ApisnoopError(f"the agent does not answer on {host}:{port}: {error}; its log says more") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise ApisnoopError(f"the agent is not {'ready' if ready else 'well'}: {said}")


@cli.command()
@click.option("--limit", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Seconds to wait at most.")
def wait(limit: float) -> None:
    """Hold the pod back until its calls are recorded (the injected init container); end well in any case."""
    from apisnoop_tproxy.wait import wait  # noqa: PLC0415

    _say_unrecorded(wait(limit))


@cli.command()
@click.option("--limit", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Seconds to wait at most.")
@click.option(
    "--destination",
    "destinations",
    multiple=True,
    metavar="IP:PORT",
    help="Another address of the API server than the kubelet's KUBERNETES_SERVICE_HOST; may be repeated.",
)
def redirect(limit: float, destinations: tuple[str, ...]) -> None:
    """Have this pod's API connections led to the proxy (the injected init container of mode init); end well anyway."""
    from apisnoop_tproxy.redirection import redirect  # noqa: PLC0415

    try:
        why = redirect(limit, destinations, os.environ)
    except ApisnoopError as error:
        why = str(error)
    _say_unrecorded(why)


def _say_unrecorded(why: str) -> None:
    """Leave why the pod starts without being recorded in the container's log, and where `kubectl describe` shows it."""
    from apisnoop_tproxy.wait import report  # noqa: PLC0415

    if why:
        click.echo(f"apisnoop-tproxy: this pod starts without being recorded: {why}", err=True)
        with suppress(OSError):  # there is no such file outside of Kubernetes
            report(why)


def main() -> None:
    """Run the command line; what the user can mend is one line, without a traceback."""
    try:
        cli(standalone_mode=True)
    except ApisnoopError as error:
        click.echo(f"apisnoop-tproxy: {error}", err=True)
        sys.exit(error.exit_code)
