"""Images that cannot be pulled are the first thing that is wrong, and hide what only follows from them."""

import msgspec
import pytest

from apisnoop import __version__
from apisnoop.fleet.diagnosis import diagnose
from apisnoop.fleet.facts import Answer
from apisnoop.fleet.images import image_finding, missing_images
from apisnoop.fleet.objects import NO_CONFIGURATION, NO_VERDICT, Deployment, Job
from apisnoop.fleet.status import status_of
from tests.fleet.things import LABELS, agent, answer, facts, metadata, pod

IMAGE = f"apisnoop:{__version__}"


def lacking(name, reason="ImagePullBackOff", image=IMAGE, place="containerStatuses"):
    """Make the status of a pod whose container waits for its image."""
    waiting = {"name": name, "image": image, "state": {"waiting": {"reason": reason}}}
    return {"phase": "Pending", "conditions": [], place: [waiting]}


def ours(component, container, **more):
    """Make a pod of the installation that waits for its image."""
    labels = {**LABELS, "app.kubernetes.io/component": component}
    return pod(f"apisnoop-{component}", "apisnoop", labels=labels, status=lacking(container, **more))


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"])
@pytest.mark.parametrize("place", ["containerStatuses", "initContainerStatuses"])
def test_a_container_that_waits_for_its_image_is_found(reason, place):
    """Also one that comes before the others."""
    (found,) = missing_images([ours("certs", "certs", reason=reason, place=place)])
    assert (found.image, found.reason, found.part, found.pods) == (IMAGE, reason, "core", ("apisnoop/apisnoop-certs",))


def test_what_waits_for_something_else_is_not_found():
    """A container that is being made, or one that crashes."""
    assert missing_images([ours("certs", "certs", reason="CrashLoopBackOff"), agent("n1")]) == ()


def test_of_others_only_our_own_init_container_counts():
    """Their images are their own business."""
    theirs = pod("web", status=lacking("web"))
    waits = pod("db", status=lacking("apisnoop-wait", place="initContainerStatuses"))
    assert [one.pods for one in missing_images([], [theirs, waits])] == [("shop/db",)]


def everything_waits():
    """Make an installation whose images are not there."""
    agents = (agent("n1", status=lacking("proxy", image="proxy:1")),)
    return facts(
        agents=agents,
        ours=(*agents, ours("certs", "certs"), ours("webhook", "webhook")),
        answers={"apisnoop-agent-n1": Answer(trouble="its pod is Pending")},
        nodes=(),
        verdict=NO_VERDICT,
        certificate_jobs=(msgspec.convert({"metadata": metadata("certs-1", "apisnoop")}, Job),),
        webhook=msgspec.convert({"metadata": metadata("apisnoop-webhook", "apisnoop")}, Deployment),
        webhook_configuration=NO_CONFIGURATION,
    )


def test_each_image_is_one_finding_with_what_sets_it():
    """Nodes, certificate and webhook follow by themselves once the images are there."""
    core, proxy, *others = diagnose(everything_waits())
    assert core.what == (
        f"image {IMAGE} cannot be pulled (ImagePullBackOff), which apisnoop/apisnoop-certs, apisnoop/apisnoop-webhook "
        "cannot start without"
    )
    assert "--set image.core.repository=REGISTRY/apisnoop (scripts/build-image" in core.then
    assert "image proxy:1 cannot be pulled" in proxy.what
    assert "--set image.proxy.repository=REGISTRY/apisnoop-proxy" in proxy.then
    assert [one.what for one in others] == ["the webhook's configuration is gone: the API server asks it about no pod"]


def test_status_knows_of_them():
    """So that whoever looks there first learns it there."""
    assert [one.part for one in status_of(everything_waits()).images] == ["core", "proxy"]
    assert status_of(facts(answers={"apisnoop-agent-n1": answer("n1")})).images == ()


def test_nobody_waits_for_what_is_on_its_way_out():
    """A wrong image was named, and then the right one: pods with the first are still ending."""
    gone = pod("apisnoop-certs", "apisnoop", labels=LABELS, status=lacking("certs"), deletionTimestamp="2026-01-01")
    assert missing_images([gone]) == ()


@pytest.mark.parametrize(
    ("image", "more"),
    [
        ("registry:5000/apisnoop", ""),
        (f"registry:5000/apisnoop:{__version__}", ""),
        ("apisnoop@sha256:ab", " --set image.core.digest="),
        ("registry:5000/apisnoop:nope", " --set image.core.tag="),
    ],
)
def test_a_tag_or_digest_that_somebody_has_set_is_taken_back(image, more):
    """What an earlier install was told is kept, also where it is wrong."""
    (found,) = missing_images([ours("certs", "certs", image=image)])
    advice = "kubectl apisnoop install --set image.core.repository=REGISTRY/apisnoop"
    assert image_finding(found).then == f"{advice}{more} (scripts/build-image makes the image)"
