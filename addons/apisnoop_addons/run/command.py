"""`apisnoop run`: the command line. Everything heavy, mitmproxy above all, is imported when the command runs."""

from typing import Any

import click

from apisnoop.cli import candidates
from apisnoop.cli.options import FilePath, db_option, kubeconfig_options, spec_option
from apisnoop.errors import ApisnoopError
from apisnoop_addons.collection import spare_what_stays


@click.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--report", type=FilePath(), metavar="FILE", help="Write the coverage here.  [default: to standard error]"
)
@click.option("--calls", type=FilePath(), metavar="FILE", help="Write every call here, one JSON object a line.")
@click.option("--ui", is_flag=True, help="Show the calls in a browser (mitmweb), redacted, on this machine only.")
@click.option(
    "--ui-port", type=click.IntRange(0, 65535), default=0, metavar="PORT", help="Where.  [default: any free port]"
)
@click.option(
    "--ui-bodies",
    is_flag=True,
    help="Show the first 64 KiB of bodies there, too: never of Secrets, tokens, exec and logs. Other objects may still "
    "hold what nobody should see.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on standard error unless something goes wrong.")
@db_option
@spec_option
@kubeconfig_options
@click.argument(
    "command",
    nargs=-1,
    required=True,
    metavar="-- COMMAND [ARGS]...",
    type=click.UNPROCESSED,
    shell_complete=candidates.commands,
)
def run(**options: Any) -> int:  # noqa: ANN401 - as click has checked them
    """Run a command and report which API operations it called.

    The command gets a temporary kubeconfig whose clusters are a proxy on loopback; nothing is installed anywhere. Its
    output, input and exit code are its own, the report goes to standard error, the calls are added to the store.

    \b
    apisnoop run -- kubectl get pods
    apisnoop run --calls calls.jsonl -- helm install --wait web ./chart
    """
    try:
        from apisnoop_addons.run.settings import Settings  # noqa: PLC0415
        from apisnoop_addons.run.start import start_run  # noqa: PLC0415 - mitmproxy takes half a second to import
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name.startswith("apisnoop"):
            raise
        raise ApisnoopError(f"run needs {name}, which is not installed: pip install 'apisnoop[proxy]'") from None

    settings = Settings(**options)
    if settings.ui_bodies and not settings.ui:
        raise click.UsageError("--ui-bodies says what --ui shows: give that, too")
    spare_what_stays()
    return start_run(settings)
