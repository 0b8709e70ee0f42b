"""Finding out everything about an installation that `status` and `doctor` conclude from.

What may not be read is noted and left out: whoever may look at pods only still learns something.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from apisnoop import __version__
from apisnoop.cli.agents import answer_of, each_agent
from apisnoop.cli.cluster_objects import list_objects, read_object, read_wishes
from apisnoop.cluster_api import Api
from apisnoop.errors import RefusedError
from apisnoop.fleet.facts import AGENTS, SELECTOR, Facts
from apisnoop.fleet.kinds import DAEMON_SET, DEPLOYMENT, POD
from apisnoop.fleet.objects import (
    AGENT,
    CERTS,
    COMPONENT,
    NO_CONFIGURATION,
    NO_VERDICT,
    REQUESTS,
    WEBHOOKS,
    ConfigMap,
    DaemonSet,
    Deployment,
    Job,
    Node,
    Pod,
    Request,
    WebhookConfiguration,
)
from apisnoop.fleet.status import agents_that_may_answer
from apisnoop.fleet.wishes import NO_WISHES

OF_AGENTS = "-agent"
"""How the DaemonSet's name ends."""


class Place(NamedTuple):
    """Where an object is."""

    collection: str
    name: str

    @property
    def path(self) -> str:
        """Its own path."""
        return f"{self.collection}/{self.name}"


class Home(NamedTuple):
    """Where an installation is, and what the names of its objects begin with."""

    namespace: str
    name: str

    @property
    def agents(self) -> Place:
        """The DaemonSet."""
        return Place(DAEMON_SET.collection(self.namespace), self.name + OF_AGENTS)

    @property
    def webhook(self) -> Place:
        """The Deployment."""
        return Place(DEPLOYMENT.collection(self.namespace), f"{self.name}-webhook")

    @property
    def verdict(self) -> Place:
        """The ConfigMap that says who signed the certificate."""
        return Place(f"/api/v1/namespaces/{self.namespace}/configmaps", f"{self.name}-certificate")


def home_of(namespace: str, daemon_set: str) -> Home:
    """Give the installation that a DaemonSet, by its name, is of."""
    return Home(namespace, daemon_set.removesuffix(OF_AGENTS))


class Collection(NamedTuple):
    """Where objects are, and which of them are meant."""

    path: str
    selector: str


def certificate_jobs(namespace: str) -> Collection:
    """Say where the certificate's Jobs are."""
    return Collection(f"/apis/batch/v1/namespaces/{namespace}/jobs", f"{SELECTOR},{COMPONENT}={CERTS}")


class Reading:
    """Reads one thing after another, and notes what is refused."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.unreadable: list[str] = []

    def may[T](self, read: Callable[[], T]) -> T | None:
        """Read something that not everybody may read; None where it is refused. Raises ApisnoopError for the rest."""
        try:
            return read()
        except RefusedError as error:
            if error.status not in {401, 403}:
                raise
            self.unreadable.append(str(error))
            return None


def daemon_sets(api: Api, namespace: str | None = None) -> list[DaemonSet]:
    """Give the DaemonSets of all installations. Raises ApisnoopError."""
    return list(list_objects(api, DAEMON_SET.collection(namespace), DaemonSet, labelSelector=AGENTS))


def look_at(api: Api, namespace: str | None, place: str | None = None) -> Facts:
    """Find out how an installation is; of pods those of one namespace or (None) of all.

    `place` is the namespace where it is installed, if only that one is to be looked into. Raises ApisnoopError.
    """
    reading = Reading(api)
    found = daemon_sets(api, place)
    here = found[0].metadata.namespace if found else place
    ours = our_pods(api, here) if here else []
    agents = [pod for pod in ours if (pod.metadata.labels or {}).get(COMPONENT) == AGENT]
    asked = agents_that_may_answer(agents)
    answers = {pod.metadata.uid: answer for pod, answer in each_agent(asked, lambda one: answer_of(api, one))}
    pods = reading.may(lambda: tuple(list_objects(api, POD.collection(namespace), Pod)))
    wishes = reading.may(lambda: read_wishes(api, namespace))
    return Facts(
        now=time.time(),
        version=__version__,
        daemon_sets=tuple(found),
        agents=tuple(agents),
        ours=tuple(ours),
        answers=answers,
        nodes=reading.may(lambda: tuple(list_objects(api, "/api/v1/nodes", Node))),
        pods=pods if wishes is not None else None,
        wishes=wishes or NO_WISHES,
        verdict=_verdict(reading, home_of(found[0].metadata.namespace, found[0].metadata.name)) if found else None,
        unreadable=tuple(reading.unreadable),
    )


def our_pods(api: Api, namespace: str) -> list[Pod]:
    """Give all pods of the installation in a namespace. Raises ApisnoopError."""
    return list(list_objects(api, POD.collection(namespace), Pod, labelSelector=SELECTOR))


def _verdict(reading: Reading, home: Home) -> ConfigMap | None:
    return reading.may(lambda: read_object(reading.api, home.verdict.path, ConfigMap) or NO_VERDICT)


def look_deeper(api: Api, facts: Facts) -> Facts:
    """Find out about the webhook, the certificate's Jobs and what was requested for it. Raises ApisnoopError."""
    daemon_set = facts.daemon_set
    if daemon_set is None:
        return facts
    reading, home = Reading(api), home_of(daemon_set.metadata.namespace, daemon_set.metadata.name)
    jobs = certificate_jobs(home.namespace)
    request = reading.may(lambda: read_object(api, f"{REQUESTS}/{home.name}", Request))
    return replace(
        facts,
        webhook=reading.may(lambda: read_object(api, home.webhook.path, Deployment)),
        webhook_configuration=reading.may(
            lambda: read_object(api, f"{WEBHOOKS}/{home.name}", WebhookConfiguration) or NO_CONFIGURATION
        ),
        certificate_jobs=reading.may(lambda: tuple(list_objects(api, jobs.path, Job, labelSelector=jobs.selector)))
        or (),
        requests=(request,) if request else (),
        unreadable=(*facts.unreadable, *reading.unreadable),
    )
