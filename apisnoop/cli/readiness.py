"""Waiting until an installation records, and saying what it waits for."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import click
import msgspec

from apisnoop.cli.cluster_objects import list_objects, read_object
from apisnoop.cli.installation import (
    Home,
    Place,
    certificate_jobs,
    daemon_sets,
    home_of,
    look_at,
    look_deeper,
    our_pods,
)
from apisnoop.cluster_api import Api
from apisnoop.decoding import decoder_of
from apisnoop.errors import ApisnoopError, ExitCode
from apisnoop.fleet.certificate_diagnosis import is_issuing
from apisnoop.fleet.diagnosis import diagnose
from apisnoop.fleet.images import LASTING, missing_images
from apisnoop.fleet.objects import ConfigMap, DaemonSet, Deployment, Job
from apisnoop.fleet.status import status_of
from apisnoop.reports.findings_list import render_findings
from apisnoop.reports.fleet import certificate_line
from apisnoop.reports.wording import counted

SLICE = 10.0
"""Seconds after which a watch is begun anew, and images are looked at: by the second look a kubelet has tried twice."""

_UNSEEN = "waiting for its controller"


@dataclass(slots=True)
class Waiting:
    """Waits for one object after another, in vain where an image cannot be pulled."""

    api: Api
    namespace: str
    deadline: float
    """Of time.monotonic()."""
    hopeless: bool = False
    _missing: frozenset[str] = field(default=frozenset())
    """Images that could not be pulled at the last look."""

    def until[T](self, place: Place, kind: type[T], lacks: Callable[[T], str]) -> bool:
        """Wait until an object lacks nothing, saying what it lacks whenever that changes; none at all lacks nothing.

        It is looked at once even where the time is over: what came before may have taken all of it.
        """
        said = ""
        found = read_object(self.api, place.path, kind)
        if found is None or not lacks(found):
            return True
        while (left := self.deadline - time.monotonic()) > 0 and not self.hopeless:
            for event, thing in self.api.watch(*place, min(left, SLICE)):
                if event == "ERROR":
                    break  # what comes with it is no such object
                if event == "DELETED":
                    return False
                # By way of JSON: metadata keeps managedFields as it came.
                lacking = lacks(decoder_of(kind).decode(msgspec.json.encode(thing)))
                if not lacking:
                    return True
                if lacking != said:
                    click.echo(f"{place.name}: {lacking}", err=True)
                    said = lacking
                if time.monotonic() > self.deadline:
                    return False
            self._look_at_images()
        return False

    def _look_at_images(self) -> None:
        """Give up where the same image cannot be pulled at two looks: once may be the registry's bad moment."""
        found = missing_images(our_pods(self.api, self.namespace))
        missing = frozenset(one.image for one in found if one.reason in LASTING)
        self.hopeless = bool(missing & self._missing)
        self._missing = missing


def wait_until_ready(api: Api, namespace: str, seconds: float) -> int:
    """Wait until agents, webhook and certificate are there, else say what is wrong; give the exit code.

    Raises ApisnoopError if the API server cannot be asked.
    """
    found = daemon_sets(api, namespace)
    if not found:
        raise ApisnoopError(f"no DaemonSet of apisnoop is in namespace {namespace}; see helm list -n {namespace}")
    waiting = Waiting(api, namespace, time.monotonic() + seconds)
    ready = _is_ready(waiting, home_of(namespace, found[0].metadata.name))
    facts = look_deeper(api, look_at(api, namespace, namespace))
    findings = diagnose(facts)
    if waiting.hopeless:
        click.echo("apisnoop: it is not ready, and will not be without its images", err=True)
    elif not ready:
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


def _is_ready(waiting: Waiting, home: Home) -> bool:
    """Wait for the certificate, which all wait for, then for the others."""
    jobs = certificate_jobs(home.namespace)
    running = [one for one in list_objects(waiting.api, jobs.path, Job, labelSelector=jobs.selector) if is_issuing(one)]
    for job in running:  # a certificate that is there already may be made anew by it
        waiting.until(Place(jobs.path, job.metadata.name), Job, _issues)
    return (
        waiting.until(home.verdict, ConfigMap, _certificate)
        and waiting.until(home.agents, DaemonSet, _agents)
        and waiting.until(home.webhook, Deployment, _webhook)
    )


def _issues(job: Job) -> str:
    return "requests the certificate" if is_issuing(job) else ""


def _certificate(verdict: ConfigMap) -> str:
    return "" if verdict.data.get("mode") else "waiting for the certificate"


def _agents(found: DaemonSet) -> str:
    status = found.status
    if status.observed_generation < found.metadata.generation:
        return _UNSEEN
    return _so_many(min(status.number_ready, status.updated_number_scheduled), status.desired_number_scheduled)


def _webhook(found: Deployment) -> str:
    status, wanted = found.status, found.spec.replicas
    if status.observed_generation < found.metadata.generation:
        return _UNSEEN
    # Those of an earlier version are ready, too, until their successors are.
    ready = min(status.updated_replicas, status.ready_replicas - (status.replicas - status.updated_replicas))
    return _so_many(max(0, ready), wanted)


def _so_many(ready: int, wanted: int) -> str:
    return f"{ready} of {counted(wanted, 'pod')} ready" if ready < wanted else ""
