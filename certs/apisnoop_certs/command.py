"""The entry point `apisnoop-certs`: the program of a Job and a CronJob, and the administrator's for the policy.

Results go to standard output, what is being done to standard error. Neither ever holds a key.
"""

import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypedDict, Unpack

import click
import yaml

from apisnoop import __version__
from apisnoop.cli.options import kubeconfig_options
from apisnoop.cluster_api import Api
from apisnoop.errors import ApisnoopError, ExitCode
from apisnoop.moments import MOMENT
from apisnoop_certs.issue import Run
from apisnoop_certs.objects import ObjectNames, Objects
from apisnoop_certs.options import (
    Decorated,
    RequestOptions,
    RunOptions,
    domain_of,
    lifetime_of,
    namespace_option,
    namespace_or_own,
    object_names,
    object_options,
    request_name_option,
    request_of,
    request_options,
    run_options,
    settings_of,
    signers_of,
)
from apisnoop_certs.policy import Tie, policy_objects
from apisnoop_certs.settings import requests_named
from apisnoop_certs.verdict import Verdict

PROGRAM = "apisnoop-certs"


class _Cluster(TypedDict):
    kubeconfig: Path | None
    context: str | None


class _Run(_Cluster, RunOptions):
    pass


class _Policy(_Cluster, RequestOptions):
    namespace: str | None
    service_account: str
    policy: str
    any_names: bool


def _options_of_a_run(command: Decorated) -> Decorated:
    """Add all that a run is told: the same for a first certificate and for each later one."""
    return run_options(request_options(object_options(namespace_option(kubeconfig_options(command)))))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Get the certificate with which the node's proxy stands in for the API server."""


@cli.command()
@_options_of_a_run
def issue(**options: Unpack[_Run]) -> None:
    """Get a new certificate, signed by the cluster where it does that and pods accept it."""
    _print(_run(options).issue())


@cli.command()
@_options_of_a_run
def renew(**options: Unpack[_Run]) -> None:
    """Get a new certificate when two thirds of the lifetime are over or the API server's names have changed."""
    _print(_run(options).renew())


@cli.command()
@request_name_option
@kubeconfig_options
def clean(request: str, kubeconfig: Path | None, context: str | None) -> None:
    """Delete the requests that a killed run may have left behind."""
    objects = Objects(Api(kubeconfig, context, program=PROGRAM), ObjectNames("", "", "", ""))
    left = [name for name in requests_named(request) if objects.delete_request(name)]
    click.echo(f"deleted {', '.join(left)}" if left else "no request was left")


@cli.command()
@request_options
@namespace_option
@click.option("--service-account", metavar="NAME", default="apisnoop-certs", show_default=True, help="The Job's.")
@click.option("--policy", metavar="NAME", default="apisnoop-certs", show_default=True, help="The policy's own name.")
@click.option(
    "--any-names", is_flag=True, help="Leave the alternative names open, for a cluster whose addresses change."
)
@kubeconfig_options
def policy(**options: Unpack[_Policy]) -> None:
    """Print the admission policy that ties the Job to this one certificate, for `kubectl apply -f -`."""
    objects = Objects(Api(options["kubeconfig"], options["context"], program=PROGRAM), ObjectNames("", "", "", ""))
    names = None if options["any_names"] else objects.server_names(domain_of(options), options["extra_names"])
    tie = Tie(
        requester=f"system:serviceaccount:{namespace_or_own(options['namespace'])}:{options['service_account']}",
        requests=requests_named(request_of(options)),
        signers=signers_of(options),
        lifetime=lifetime_of(options),
        names=names,
    )
    click.echo(yaml.safe_dump_all(policy_objects(options["policy"], tie), sort_keys=False, width=120), nl=False)


def run() -> NoReturn:
    """Run the command line and leave with one of the exit codes of `apisnoop.errors.ExitCode`."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        cli.main(prog_name=PROGRAM, standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _leave("interrupted; what was requested is deleted, what was stored before is unchanged", ExitCode.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ApisnoopError as error:
        _leave(str(error), error.exit_code)
    sys.exit(ExitCode.OK)


def _run(options: _Run) -> Run:
    objects = Objects(Api(options["kubeconfig"], options["context"], program=PROGRAM), object_names(options))
    return Run(objects, settings_of(options), datetime.now(UTC), _say)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End as by Ctrl-C, once: what has been requested is deleted on the way out, which nothing shall interrupt."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _say(message: str) -> None:
    click.echo(f"{PROGRAM}: {message}", err=True)


def _print(verdict: Verdict) -> None:
    until = f", valid until {verdict.not_after:{MOMENT}}" if verdict.not_after else ""
    click.echo(f"mode {verdict.mode}, signer {verdict.signer}{until}: {verdict.reason}")


def _leave(message: str, code: ExitCode) -> NoReturn:
    _say(message)
    sys.exit(code)
