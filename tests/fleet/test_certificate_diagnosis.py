"""What is wrong with the certificate while its Job runs, and where to look when it does not."""

import msgspec
import pytest

from apisnoop.fleet.diagnosis import diagnose
from apisnoop.fleet.objects import NO_VERDICT, Job, Request
from tests.fleet.things import LABELS, facts, metadata, pod

PENDING = msgspec.convert({"metadata": metadata("apisnoop", ""), "status": {}}, Request)


def job(renewal="auto", **status):
    """Make the certificate's Job."""
    spec = {"template": {"spec": {"containers": [{"name": "certs", "args": [f"--renewal={renewal}"]}]}}}
    return msgspec.convert({"metadata": metadata("certs-2", "apisnoop"), "spec": spec, "status": status}, Job)


def test_a_request_is_left_to_a_job_that_approves_it():
    """That is a matter of a moment, and nobody has to do anything."""
    assert diagnose(facts(requests=(PENDING,), certificate_jobs=(job(),))) == []


@pytest.mark.parametrize(
    "one",
    [
        job("manual"),
        job(conditions=[{"type": "Complete", "status": "True"}]),
        job(conditions=[{"type": "Failed", "status": "True"}]),
        job(failed=1),
    ],
)
def test_a_request_that_no_job_approves_waits_for_a_human(one):
    """With the command that approves it."""
    (found,) = diagnose(facts(requests=(PENDING,), certificate_jobs=(one,)))
    assert found.then == "kubectl certificate approve apisnoop"


@pytest.mark.parametrize(
    ("status", "then"),
    [
        (
            {"containerStatuses": [{"name": "certs", "state": {"waiting": {"reason": "ContainerCreating"}}}]},
            "kubectl describe pods -n apisnoop -l app.kubernetes.io/component=certs",
        ),
        ({"phase": "Pending"}, "kubectl describe pods -n apisnoop -l app.kubernetes.io/component=certs"),
        (
            {"containerStatuses": [{"name": "certs", "restartCount": 2, "state": {"waiting": {"reason": "x"}}}]},
            "kubectl logs -n apisnoop job/certs-2 --tail=20",
        ),
    ],
)
def test_a_log_is_named_only_where_there_is_one(status, then):
    """A container that has not run yet has none."""
    certs = pod("certs-2-x", "apisnoop", labels={**LABELS, "app.kubernetes.io/component": "certs"}, status=status)
    (found,) = diagnose(facts(verdict=NO_VERDICT, certificate_jobs=(job(),), ours=(certs,)))
    assert (found.what, found.then) == ("there is no certificate yet", then)
