"""The options of `apisnoop-certs` and the values they make."""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypedDict

import click

from apisnoop.cli.namespaces import OWN_NAMESPACE
from apisnoop.durations import parse_duration
from apisnoop.errors import UsageError
from apisnoop_certs.objects import ObjectNames
from apisnoop_certs.server_names import DEFAULT_DOMAIN, cluster_domain
from apisnoop_certs.settings import LEAST, SIGNERS, Asked, Settings

_RESOLV_CONF = Path("/etc/resolv.conf")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,240}[a-z0-9])?")
_AUTO, _MANUAL = "auto", "manual"

type Decorated = Callable[..., Any]


class ObjectOptions(TypedDict):
    """What `object_options` gives."""

    namespace: str | None
    secret: str
    ca_secret: str
    config_map: str
    owner: str


class RequestOptions(TypedDict):
    """What `request_options` gives."""

    request: str
    signers: tuple[str, ...]
    lifetime: timedelta
    domain: str | None
    extra_names: tuple[str, ...]


class RunOptions(ObjectOptions, RequestOptions):
    """What a run is given."""

    mode: str
    renewal: str
    wait: timedelta | None


def object_options(command: Decorated) -> Decorated:
    """Add the options that name the objects of an installation."""
    return _add(
        command,
        _named("--secret", "apisnoop-certificate", "Secret for the certificate and its key; it must exist."),
        _named("--ca-secret", "apisnoop-ca", "Secret for our own authority; it must exist."),
        _named("--config-map", "apisnoop-certificate", "ConfigMap for the verdict; it must exist."),
        click.option(
            "--owner", metavar="NAME", default="", help="ClusterRole with which requests go that we could not delete."
        ),
    )


def namespace_option(command: Decorated) -> Decorated:
    """Add --namespace."""
    text = "Where the objects are.  [default: the pod's own]"
    return click.option("--namespace", "-n", metavar="NAME", help=text)(command)


def request_name_option(command: Decorated) -> Decorated:
    """Add --request."""
    return _named("--request", "apisnoop", "CertificateSigningRequest; the probe's name ends in -probe.")(command)


def request_options(command: Decorated) -> Decorated:
    """Add the options that say what is requested."""
    signer = f"Ask this signer; may be repeated.  [default: {', '.join(SIGNERS)}]"
    domain = "The cluster's DNS domain.  [default: what the pod's resolv.conf says, else cluster.local]"
    name = "A further name or address that clients dial; may be repeated."
    return _add(
        command,
        request_name_option,
        click.option("--signer", "signers", metavar="NAME", multiple=True, help=signer),
        click.option(
            "--lifetime",
            metavar="TIME",
            callback=_duration,
            default="7d",
            show_default=True,
            help="The lifetime to ask for.",
        ),
        click.option("--domain", metavar="NAME", help=domain),
        click.option("--name", "extra_names", metavar="NAME", multiple=True, help=name),
    )


def run_options(command: Decorated) -> Decorated:
    """Add the options of a run."""
    mode = "Who signs: the cluster (csr), our own authority (own-ca), or that where the cluster does not (auto)."
    wait = "How long to wait for each signature.  [default: 60s, 1h with --renewal manual]"
    return _add(
        command,
        click.option(
            "--mode",
            type=click.Choice([mode.value for mode in Asked]),
            default=Asked.AUTO.value,
            show_default=True,
            help=mode,
        ),
        click.option(
            "--renewal",
            type=click.Choice([_AUTO, _MANUAL]),
            default=_AUTO,
            show_default=True,
            help="Who approves the request: this program, or a human.",
        ),
        click.option("--wait", metavar="TIME", callback=_duration, help=wait),
    )


def object_names(options: ObjectOptions) -> ObjectNames:
    """Give the names of an installation's objects."""
    return ObjectNames(
        namespace_or_own(options["namespace"]),
        options["secret"],
        options["ca_secret"],
        options["config_map"],
        options["owner"],
    )


def settings_of(options: RunOptions) -> Settings:
    """Give the settings of a run.

    Raises UsageError for values that exclude one another.
    """
    manual = options["renewal"] == _MANUAL
    signers = signers_of(options)
    if manual:
        # A human shall not have to approve one request after the other to find out who signs.
        signers = signers[:1]
    wait = options["wait"] or timedelta(hours=1 if manual else 0, seconds=0 if manual else 60)
    return Settings(
        request=request_of(options),
        mode=Asked(options["mode"]),
        signers=signers,
        lifetime=lifetime_of(options),
        manual=manual,
        wait=wait,
        domain=domain_of(options),
        extra_names=options["extra_names"],
    )


def namespace_or_own(namespace: str | None) -> str:
    """Give the namespace, the pod's own by default.

    Raises UsageError outside a pod.
    """
    if namespace is None and not OWN_NAMESPACE.exists():
        raise UsageError("not in a pod: say where the objects are with --namespace")
    return namespace or OWN_NAMESPACE.read_text(encoding="utf-8").strip()


def request_of(options: RequestOptions) -> str:
    """Check the name of the request."""
    if not _NAME.fullmatch(options["request"]):
        raise UsageError(f"--request {options['request']!r} cannot name an object; use a-z, 0-9, '-' and '.'")
    return options["request"]


def signers_of(options: RequestOptions) -> Sequence[str]:
    """Give the signers to ask, the known ones by default."""
    return options["signers"] or SIGNERS


def lifetime_of(options: RequestOptions) -> timedelta:
    """Check the lifetime."""
    if options["lifetime"] < LEAST:
        raise UsageError(f"--lifetime is less than {LEAST.total_seconds():.0f} s, the shortest Kubernetes allows")
    return options["lifetime"]


def domain_of(options: RequestOptions) -> str:
    """Give the cluster's domain."""
    found = cluster_domain(_RESOLV_CONF.read_text(encoding="utf-8")) if _RESOLV_CONF.exists() else None
    return options["domain"] or found or DEFAULT_DOMAIN


def _duration(_context: click.Context, _parameter: click.Parameter, value: str | None) -> timedelta | None:
    """Parse a duration such as 90s, 10m, 12h, 7d."""
    try:
        return None if value is None else timedelta(seconds=parse_duration(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _add(command: Decorated, *options: Callable[[Decorated], Decorated]) -> Decorated:
    # The decorator nearest to the function comes last in --help.
    for option in reversed(options):
        command = option(command)
    return command


def _named(option: str, default: str, text: str) -> Callable[[Decorated], Decorated]:
    return click.option(option, metavar="NAME", default=default, show_default=True, help=text)
