"""What other releases know."""

import pytest

from apisnoop.operations.lifecycle import REMOVALS, Coordinates, Removal, releases_with, removal_of
from apisnoop.operations.shipped import release_key, shipped


def test_announced_removals_agree_with_the_catalogues() -> None:
    """No release serves what was removed by it, and each earlier shipped release that could have it does."""
    for wanted, removal in REMOVALS.items():
        for release in shipped().releases:
            had = any(
                (operation.group, operation.version, operation.resource) == wanted[:3]
                for operation in shipped().operations(release)
            )
            if release_key(release) >= release_key(removal.release):
                assert not had, (wanted, release)
                assert removal_of(wanted, release) == removal
            else:
                assert had, (wanted, release)
                assert removal_of(wanted, release) is None


def test_replacements_exist() -> None:
    """A group and version that is named as the replacement is in the newest catalogue, with the resource."""
    newest = shipped().operations(shipped().releases[-1])
    served = {(f"{operation.group}/{operation.version}", operation.resource) for operation in newest}
    for wanted, removal in REMOVALS.items():
        if "/" in removal.replacement.partition(" ")[0]:
            assert (removal.replacement, wanted.resource) in served, wanted


def test_a_version_goes_with_its_last_resource() -> None:
    """storage.k8s.io/v1beta1 lost its last resource in 1.27, and came back with another."""
    assert removal_of(Coordinates("autoscaling", "v2beta2"), "1.30") == Removal("1.26", "autoscaling/v2")
    assert removal_of(Coordinates("policy", "v1beta1"), "1.24") is None
    assert removal_of(Coordinates("storage.k8s.io", "v1beta1"), "1.36") is None


@pytest.mark.parametrize("release", ["", "1.36"])
def test_what_nobody_knows_is_not_removed(release: str) -> None:
    """A custom resource is none of Kubernetes' business."""
    wanted = Coordinates("x.io", "v1", "things")
    assert removal_of(wanted, release) is None
    assert releases_with(wanted) == ()


def test_coordinates_read_well() -> None:
    """As people write them."""
    assert str(Coordinates("apps", "v1", "deployments", "scale")) == "deployments/scale of apps/v1"
    assert str(Coordinates("", "v1", "pods")) == "pods of v1"
    assert str(Coordinates("apps", "v1")) == "apps/v1"
