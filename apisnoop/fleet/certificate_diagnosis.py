"""What is wrong with the certificate that pods are shown, and with how it is requested."""

from collections.abc import Iterator

from apisnoop.fleet.facts import Facts
from apisnoop.fleet.finding import Finding
from apisnoop.fleet.objects import CERTS, COMPONENT, Job, Pod, Request
from apisnoop.fleet.status import Status
from apisnoop.moments import seconds_of
from apisnoop.trust_mode import Mode

SOON = 24 * 3600
"""Seconds before its end at which a certificate should have been renewed: that happens at two thirds of its life."""


def certificate_findings(facts: Facts, status: Status) -> Iterator[Finding]:
    """Find what is wrong; nothing as long as its Job is about to mend it, or cannot begin for want of its image."""
    known, next_step = status.certificate, _next_step(facts, status)
    pending = [] if is_being_issued(facts) else [one for one in facts.requests if not _is_decided(one)]
    for request in pending:
        name = request.metadata.name
        yield Finding(f"certificate signing request {name} waits for approval", f"kubectl certificate approve {name}")
    if known is None:
        return
    if not known.mode and not pending:
        failed = any(job.status.failed and not job.status.succeeded for job in facts.certificate_jobs)
        if failed or not _lacks_image(facts, status):
            yield Finding("there is no certificate" + (": its Job has failed" if failed else " yet"), next_step)
    elif known.mode == Mode.NONE:
        what = f"there is no certificate that pods accept, so nothing can be recorded: {known.reason}"
        yield Finding(what, known.then or next_step)
    elif known.then:
        yield Finding(f"the certificate cannot be renewed: {known.reason}", known.then)
        return
    ends = seconds_of(known.not_after)
    if ends is not None and ends <= facts.now:
        what = f"the certificate has ended ({known.not_after}): {known.reason or 'it was not renewed'}"
        yield Finding(what, next_step)
    elif ends is not None and ends - facts.now < min(SOON, _life(known.renew_at, ends)):
        why = f": {known.reason}" if known.reason else ""
        yield Finding(f"the certificate ends soon ({known.not_after}) and should have been renewed{why}", next_step)


def is_being_issued(facts: Facts) -> bool:
    """Tell whether a Job runs that approves its request itself: an approval is then a matter of a moment."""
    return any(is_issuing(job) for job in facts.certificate_jobs)


def is_issuing(job: Job) -> bool:
    """Tell whether a Job runs that approves its own request and has not failed yet."""
    return job.renews_alone and not job.is_over and not job.status.failed


def _next_step(facts: Facts, status: Status) -> str:
    """Give the log of the last Job if there is one, else what is known of its pods, else what there is at all."""
    place = status.namespace
    if not facts.certificate_jobs:
        return f"kubectl get jobs,events -n {place}"
    pods = [pod for pod in facts.ours if (pod.metadata.labels or {}).get(COMPONENT) == CERTS]
    if pods and not any(map(_has_run, pods)):
        return f"kubectl describe pods -n {place} -l {COMPONENT}={CERTS}"
    return f"kubectl logs -n {place} job/{facts.certificate_jobs[-1].metadata.name} --tail=20"


def _has_run(pod: Pod) -> bool:
    return pod.is_over or any(one.restart_count or not one.state.waiting for one in pod.status.container_statuses or ())


def _lacks_image(facts: Facts, status: Status) -> bool:
    waiting = {pod for missing in status.images for pod in missing.pods}
    return any(pod.key in waiting for pod in facts.ours if (pod.metadata.labels or {}).get(COMPONENT) == CERTS)


def _is_decided(request: Request) -> bool:
    return any(one.type in {"Approved", "Denied"} for one in request.status.conditions or ())


def _life(renew_at: str, ends: float) -> float:
    """Give half of the time between renewal and end: a renewal that is so late has failed."""
    renewal = seconds_of(renew_at)
    return SOON if renewal is None else (ends - renewal) / 2
