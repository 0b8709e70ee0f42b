"""Images that nodes cannot pull: of our own pods, and of the init container that the webhook puts into others' pods.

No public registry has our images, so this is what a first install meets most of all.
"""

from collections.abc import Iterable, Iterator

import msgspec

from apisnoop import __version__
from apisnoop.fleet.enumeration import some_of
from apisnoop.fleet.finding import Finding
from apisnoop.fleet.objects import ContainerStatus, Pod
from apisnoop.fleet.remains import INIT_CONTAINERS

BACK_OFF = "ImagePullBackOff"
"""The kubelet has tried, and waits before it tries again."""
CANNOT_PULL = frozenset(
    {
        "ErrImagePull",
        BACK_OFF,
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
"""Reasons that the kubelet gives."""
LASTING = frozenset({BACK_OFF, "ErrImageNeverPull", "InvalidImageName"})
"""Reasons that do not pass within one attempt."""
OF_PROXY = frozenset({"proxy", "mitmweb"})
"""Containers with the proxy's image; all others have the core's."""
SHOWN = 3


class MissingImage(msgspec.Struct, frozen=True):
    """An image that cannot be pulled."""

    image: str
    reason: str
    """The kubelet's, in one word."""
    part: str
    """Which of the chart's images it is: `core` or `proxy`."""
    pods: tuple[str, ...]
    """namespace/name of those that wait for it."""


def missing_images(ours: Iterable[Pod], others: Iterable[Pod] = ()) -> tuple[MissingImage, ...]:
    """Find images that cannot be pulled; of `others` only what the webhook has put into them counts.

    Not those of ours that are on their way out, for which nobody waits.
    """
    found: dict[tuple[str, str], tuple[str, dict[str, None]]] = {}
    waiting = [(pod, status) for pod in ours if not pod.metadata.deletion_timestamp for status in _statuses(pod)]
    waiting += [(pod, one) for pod in others for one in _statuses(pod) if one.name in INIT_CONTAINERS]
    for pod, status in waiting:
        reason = status.state.waiting.reason if status.state.waiting else ""
        if reason in CANNOT_PULL:
            image = status.image or _image_of(pod, status.name)
            part = "proxy" if status.name in OF_PROXY else "core"
            found.setdefault((part, image), (reason, {}))[1][pod.key] = None
    return tuple(
        MissingImage(image, reason, part, tuple(pods)) for (part, image), (reason, pods) in sorted(found.items())
    )


def _statuses(pod: Pod) -> Iterator[ContainerStatus]:
    yield from pod.status.init_container_statuses or ()
    yield from pod.status.container_statuses or ()


def _image_of(pod: Pod, name: str) -> str:
    containers = [*(pod.spec.init_containers or ()), *pod.spec.containers]
    return next((one.image for one in containers if one.name == name), "")


def image_text(missing: MissingImage) -> str:
    """Say which image cannot be pulled, and who waits for it."""
    waits = some_of(missing.pods, SHOWN)
    return f"image {missing.image} cannot be pulled ({missing.reason}), which {waits} cannot start without"


def image_finding(missing: MissingImage) -> Finding:
    """Say what is wrong, and where images come from."""
    name = "apisnoop-proxy" if missing.part == "proxy" else "apisnoop"
    setting = f"--set image.{missing.part}.repository=REGISTRY/{name}"
    if kept := _named_by(missing.image):  # by an earlier install, whose values are kept
        setting += f" --set image.{missing.part}.{kept}="
    return Finding(image_text(missing), f"kubectl apisnoop install {setting} (scripts/build-image makes the image)")


def _named_by(image: str) -> str:
    """Tell which value names an image other than that of this version, if one does."""
    if "@" in image:
        return "digest"
    tag = image.rpartition("/")[2].partition(":")[2]
    return "tag" if tag not in {"", __version__} else ""
