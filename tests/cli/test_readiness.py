"""Waiting for an installation: what ends it early, and what it waits for although all seems to be there."""

import json
import time

import msgspec
import pytest

from apisnoop.cli.installation import Home
from apisnoop.cli.readiness import Waiting, _is_ready, _webhook
from apisnoop.fleet.objects import Deployment
from tests.cli.fake_api import FakeApi, made
from tests.fleet.things import LABELS

HOME = "apisnoop"
FIELDS = [{"manager": "helm", "fieldsV1": {"f:spec": {}}, "time": "2026-01-01T00:00:00Z"}]
"""As every object of a real server has them: kept as they came."""
INSTALLED = Home(HOME, "apisnoop")


class WatchedApi(FakeApi):
    """An API server on which a watch gives the present state, then what a test has put in its way."""

    def __init__(self, *objects):
        super().__init__(*objects)
        self.watched = []
        self.then = {}
        """By name: what the watch gives afterwards."""

    def watch(self, path, name, _seconds):
        """Give the present state, and what comes."""
        self.watched.append(name)
        yield "MODIFIED", json.loads(self.read(f"{path}/{name}"))
        for one in self.then.pop(name, ()):
            yield ("ERROR" if one["kind"] == "Status" else "MODIFIED"), one


def daemon_set(ready):
    """Make the DaemonSet, with so many of its two pods ready."""
    status = {"desiredNumberScheduled": 2, "numberReady": ready, "updatedNumberScheduled": 2}
    return {**made("DaemonSet", "apisnoop-agent", HOME, labels=LABELS, managedFields=FIELDS), "status": status}


def agent(reason):
    """Make an agent's pod whose image is not there."""
    status = {"containerStatuses": [{"name": "agent", "image": "x", "state": {"waiting": {"reason": reason}}}]}
    return {**made("Pod", "apisnoop-agent-1", HOME, labels=LABELS), "status": status}


def job(**status):
    """Make the certificate's Job."""
    template = {"spec": {"containers": [{"name": "certs", "args": ["--renewal=auto"]}]}}
    labels = {**LABELS, "app.kubernetes.io/component": "certs"}
    return {**made("Job", "apisnoop-certs-2", HOME, labels=labels), "spec": {"template": template}, "status": status}


def test_an_image_that_cannot_be_pulled_twice_ends_the_wait(capsys):
    """Nobody waits five minutes for what will not come."""
    api = WatchedApi(daemon_set(0), agent("ImagePullBackOff"))
    waiting = Waiting(api, HOME, time.monotonic() + 3600)
    assert not _is_ready(waiting, INSTALLED)
    assert waiting.hopeless
    assert api.watched == ["apisnoop-agent"] * 2
    assert capsys.readouterr().err == "apisnoop-agent: 0 of 2 pods ready\n"


def test_an_image_that_is_being_pulled_again_is_waited_for():
    """A registry may have a bad moment."""
    api = WatchedApi(daemon_set(0), agent("ErrImagePull"))
    api.then["apisnoop-agent"] = [daemon_set(1), daemon_set(2)]
    waiting = Waiting(api, HOME, time.monotonic() + 3600)
    assert _is_ready(waiting, INSTALLED)
    assert not waiting.hopeless


@pytest.mark.parametrize("end", [{"conditions": [{"type": "Complete", "status": "True"}]}, {"failed": 1}])
def test_a_job_that_makes_the_certificate_anew_is_waited_for(end, capsys):
    """Its request would else be taken for one that waits for a human; of a Job that has failed more is to be said."""
    api = WatchedApi(daemon_set(2), job())
    api.then["apisnoop-certs-2"] = [job(**end)]
    assert _is_ready(Waiting(api, HOME, time.monotonic() + 3600), INSTALLED)
    assert api.watched == ["apisnoop-certs-2"]
    assert capsys.readouterr().err == "apisnoop-certs-2: requests the certificate\n"


def test_a_job_that_is_over_is_not_waited_for():
    """It was that of an earlier install."""
    api = WatchedApi(daemon_set(2), job(conditions=[{"type": "Complete", "status": "True"}]))
    assert _is_ready(Waiting(api, HOME, time.monotonic() + 3600), INSTALLED)
    assert api.watched == []


def test_what_is_there_when_the_time_is_over_is_no_failure():
    """The certificate may have taken all of it, and the agents be ready by then."""
    assert _is_ready(Waiting(WatchedApi(daemon_set(2)), HOME, time.monotonic() - 1), INSTALLED)
    assert not _is_ready(Waiting(WatchedApi(daemon_set(1)), HOME, time.monotonic() - 1), INSTALLED)


def test_a_watch_that_the_server_gives_up_is_begun_anew():
    """Its error is no object that lacks nothing."""
    api = WatchedApi(daemon_set(1))

    def gives_up():
        api.objects.update(FakeApi(daemon_set(2)).objects)
        yield {"kind": "Status", "metadata": {}, "message": "too old", "code": 410}

    api.then["apisnoop-agent"] = gives_up()
    assert _is_ready(Waiting(api, HOME, time.monotonic() + 3600), INSTALLED)
    assert api.watched == ["apisnoop-agent"] * 2


@pytest.mark.parametrize(
    ("status", "lacks"),
    [
        (
            {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2},
            "waiting for its controller",
        ),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 2}, "0 of 2 pods ready"),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "readyReplicas": 3}, ""),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "readyReplicas": 2}, "1 of 2 pods ready"),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}, ""),
        ({"observedGeneration": 2}, "0 of 2 pods ready"),
    ],
)
def test_the_webhooks_pods_of_an_earlier_version_do_not_count(status, lacks):
    """They are ready all the time; those of an update may never be."""
    made = {"metadata": {"name": "w", "generation": 2}, "spec": {"replicas": 2}, "status": status}
    assert _webhook(msgspec.convert(made, Deployment)) == lacks
