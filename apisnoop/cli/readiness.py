"""Waiting until an installation records, and saying what it waits for."""

import time
from collections.abc import Callable

import click
import msgspec

from apisnoop.cli.cluster_objects import read_object
from apisnoop.cli.installation import daemon_sets, look_at, look_deeper, name_of
from apisnoop.cluster_api import Api
from apisnoop.errors import ApisnoopError, ExitCode
from apisnoop.fleet.diagnosis import diagnose
from apisnoop.fleet.objects import ConfigMap, DaemonSet, Deployment
from apisnoop.fleet.status import status_of
from apisnoop.reports.findings_list import render_findings
from apisnoop.reports.fleet import certificate_line
from apisnoop.reports.wording import counted

SLICE = 20.0
"""Seconds after which a watch is begun anew."""


def wait_until_ready(api: Api, namespace: str, seconds: float) -> int:
    """Wait until agents, webhook and certificate are there, else say what is wrong; give the exit code.

    Raises ApisnoopError if the API server cannot be asked.
    """
    deadline = time.monotonic() + seconds
    found = daemon_sets(api, namespace)
    if not found:
        raise ApisnoopError(f"no DaemonSet of apisnoop is in namespace {namespace}; see helm list -n {namespace}")
    name = name_of(found[0])
    apps, core = f"/apis/apps/v1/namespaces/{namespace}", f"/api/v1/namespaces/{namespace}"
    ready = (
        _await(api, f"{core}/configmaps", f"{name}-certificate", ConfigMap, _certificate, deadline)
        and _await(api, f"{apps}/daemonsets", f"{name}-agent", DaemonSet, _agents, deadline)
        and _await(api, f"{apps}/deployments", f"{name}-webhook", Deployment, _webhook, deadline)
    )
    facts = look_deeper(api, look_at(api, namespace, namespace))
    findings = diagnose(facts)
    if not ready:
        click.echo(f"apisnoop: it is not ready after {seconds:.0f} s; it may still become so", err=True)
    if findings:
        click.echo(render_findings(findings), nl=False, err=True)
        return ExitCode.FINDINGS
    if not ready:
        return ExitCode.UNAVAILABLE
    status = status_of(facts)
    click.echo(f"apisnoop is ready in namespace {namespace}, on {counted(len(facts.agents), 'node')}")
    click.echo(certificate_line(status, facts.now))
    click.echo("Record a pod: kubectl apisnoop on POD; or all of a Deployment's: kubectl apisnoop on deploy/NAME")
    return ExitCode.OK


def _await[T](api: Api, collection: str, name: str, kind: type[T], lacks: Callable[[T], str], deadline: float) -> bool:
    """Wait until an object lacks nothing, saying what it lacks whenever that changes; none at all lacks nothing."""
    said = ""
    if read_object(api, f"{collection}/{name}", kind) is None:
        return True
    while (left := deadline - time.monotonic()) > 0:
        for event, thing in api.watch(collection, name, min(left, SLICE)):
            if event == "DELETED":
                return False
            lacking = lacks(msgspec.json.decode(msgspec.json.encode(thing), type=kind))
            if not lacking:
                return True
            if lacking != said:
                click.echo(f"{name}: {lacking}", err=True)
                said = lacking
            if time.monotonic() > deadline:
                return False
    return False


def _certificate(verdict: ConfigMap) -> str:
    return "" if verdict.data.get("mode") else "waiting for the certificate"


def _agents(found: DaemonSet) -> str:
    status = found.status
    if status.observed_generation < found.metadata.generation:
        return "waiting for its controller"
    ready = min(status.number_ready, status.updated_number_scheduled)
    wanted = status.desired_number_scheduled
    return f"{ready} of {counted(wanted, 'pod')} ready" if ready < wanted else ""


def _webhook(found: Deployment) -> str:
    if found.status.ready_replicas < found.spec.replicas:
        return f"{found.status.ready_replicas} of {counted(found.spec.replicas, 'pod')} ready"
    return ""
