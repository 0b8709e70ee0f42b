"""The entry point `apisnoop-webhook`: reads the settings, and serves until SIGTERM.

Every option is an environment variable, too: `--wait-limit` is APISNOOP_WEBHOOK_WAIT_LIMIT.
"""

import asyncio
import gc
import logging
import signal
import sys
from pathlib import Path
from threading import Thread
from typing import TypedDict, Unpack

import click

from apisnoop import __version__
from apisnoop.causes import cause_of
from apisnoop.cli.options import kubeconfig_options
from apisnoop.cluster_api import Api
from apisnoop.errors import ApisnoopError, ExitCode
from apisnoop_webhook.bundles import Bundles
from apisnoop_webhook.files_certificate import FilesCertificate
from apisnoop_webhook.lease import Leadership
from apisnoop_webhook.lookup import ClusterLookup
from apisnoop_webhook.own_certificate import OwnCertificate
from apisnoop_webhook.reviewer import Reviewer
from apisnoop_webhook.server import Server, make_server, make_tls
from apisnoop_webhook.settings import Injection, Interception
from apisnoop_webhook.upkeep import Upkeep

PROGRAM = "apisnoop-webhook"
_PATIENCE = 5.0
"""Seconds for a request of ours to the API server."""
_GRACE = 3.0
"""Seconds that reviews in progress get at the end: nobody waits longer for an answer."""


class Options(TypedDict):
    """The command line."""

    namespace: str
    identity: str
    listen: str
    image: str
    image_pull_policy: str
    interception: str
    wait_limit: int
    wait_user: int
    destination: tuple[str, ...]
    sandbox: tuple[str, ...]
    tls_files: Path | None
    tls_secret: str
    server_name: tuple[str, ...]
    configuration: str
    lease: str
    agents: str
    verdict: str
    bundle: str
    kubeconfig: Path | None
    context: str | None


_DEFAULTS = Injection(image="")


@click.command(
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 120,
        "auto_envvar_prefix": "APISNOOP_WEBHOOK",
        "show_default": True,
    }
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.option("--namespace", envvar="POD_NAMESPACE", required=True, help="Where our own objects are.")
@click.option("--identity", envvar="POD_NAME", required=True, help="This replica's name among those that may lead.")
@click.option("--listen", default=":8443", metavar="[ADDRESS]:PORT", help="Where to serve; no address is every one.")
@click.option("--image", required=True, help="Of the init container: the node agent's.")
@click.option("--image-pull-policy", default=_DEFAULTS.pull_policy, help="Of the init container.")
@click.option(
    "--interception",
    type=click.Choice([one.value for one in Interception]),
    default=Interception.AGENT.value,
    help="Who redirects: the node agent, or an init container with NET_ADMIN that prepares it.",
)
@click.option("--wait-limit", type=click.IntRange(1, 600), default=_DEFAULTS.wait_limit, help="Seconds a pod waits.")
@click.option("--wait-user", type=int, default=_DEFAULTS.user, help="User ID that waits; -1 leaves it to the pod.")
@click.option("--destination", multiple=True, metavar="IP:PORT", help="Mode init: of the API server, further ones.")
@click.option(
    "--sandbox", multiple=True, default=sorted(_DEFAULTS.sandboxes), help="Runtime class that cannot be intercepted."
)
@click.option(
    "--tls-files", type=click.Path(path_type=Path), help="Folder with tls.crt and tls.key, which somebody else keeps."
)
@click.option("--tls-secret", default="apisnoop-webhook-tls", help="Secret in which we keep our own certificate.")
@click.option("--server-name", multiple=True, help="Name or address under which the API server calls us.")
@click.option("--configuration", default="apisnoop", help="MutatingWebhookConfiguration that is to trust us.")
@click.option("--lease", default="apisnoop-webhook", help="Lease of the replica that leads.")
@click.option("--agents", default="apisnoop-agent", help="DaemonSet of the node agents.")
@click.option("--verdict", default="apisnoop-certificate", help="ConfigMap that says whose certificate the proxy has.")
@click.option("--bundle", default=_DEFAULTS.bundle, help="ConfigMap with the bundle of authorities, in mode own-ca.")
@kubeconfig_options
def serve(**options: Unpack[Options]) -> None:
    """Answer the API server's admission reviews of pods."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    asyncio.run(_serve(options))


async def _serve(options: Options) -> None:
    server, upkeep = _assemble(options)
    address, port = _address_of(options["listen"])
    try:
        server.listen(port, address)
    except OSError as error:
        raise ApisnoopError(f"cannot listen at {options['listen']}: {cause_of(error)}; give another --listen") from None
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    rounds = Thread(target=upkeep.run, name="upkeep", daemon=True)
    rounds.start()
    # What is imported stays to the end; a full collection that looked through it would hold up reviews by 30 ms.
    gc.freeze()
    await ended.wait()
    await _end(server, rounds, upkeep)


async def _end(server: Server, rounds: Thread, upkeep: Upkeep) -> None:
    """Accept nothing more, let reviews in progress be answered, and let go of the lease."""
    server.stop()
    upkeep.stop()
    try:
        async with asyncio.timeout(_GRACE):
            await server.close_all_connections()
            await asyncio.to_thread(rounds.join, _GRACE)
    except TimeoutError:
        logging.getLogger(__name__).warning("some connections were cut")


def _assemble(options: Options) -> tuple[Server, Upkeep]:
    namespace = options["namespace"]
    cluster = Api(options["kubeconfig"], options["context"], program=PROGRAM, patience=_PATIENCE)
    bundles = Bundles(cluster, options["bundle"], namespace)
    reviewer = Reviewer(_injection(options), ClusterLookup(cluster, bundles))
    tls = make_tls()
    certificate = (
        FilesCertificate(options["tls_files"], tls)
        if options["tls_files"]
        else OwnCertificate(cluster, (namespace, options["tls_secret"]), options["configuration"], _names(options), tls)
    )
    upkeep = Upkeep(
        cluster,
        reviewer,
        Leadership(cluster, namespace, options["lease"], options["identity"]),
        certificate,
        bundles,
        agents=(namespace, options["agents"]),
        verdict=(namespace, options["verdict"]),
    )
    return make_server(reviewer, lambda: upkeep.ready, tls), upkeep


def _names(options: Options) -> list[str]:
    return list(options["server_name"]) or [f"{PROGRAM}.{options['namespace']}.svc"]


def _injection(options: Options) -> Injection:
    return Injection(
        image=options["image"],
        pull_policy=options["image_pull_policy"],
        interception=Interception(options["interception"]),
        wait_limit=options["wait_limit"],
        user=None if options["wait_user"] < 0 else options["wait_user"],
        destinations=options["destination"],
        sandboxes=frozenset(options["sandbox"]),
        bundle=options["bundle"],
    )


def _address_of(listen: str) -> tuple[str, int]:
    address, _, port = listen.rpartition(":")
    if not port.isdigit():
        raise click.BadParameter(f"{listen!r} has no port; give [ADDRESS]:PORT, e.g. :8443", param_hint="--listen")
    return address.strip("[]"), int(port)


def run() -> None:
    """Run the command line, with one line for whatever went wrong."""
    try:
        serve()
    except ApisnoopError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
