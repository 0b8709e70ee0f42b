"""What recorded targets are in the catalogue of the report."""

import pytest

from apisnoop.calls.tally import OTHER
from apisnoop.coverage.report import FindingClass
from apisnoop.coverage.resolution import class_of_finding, classes_of_operation, resolve
from apisnoop.operations.match import Finding
from apisnoop.store.queries import TargetRow


def target(**fields):
    empty = dict.fromkeys(TargetRow.__struct_fields__, "") | {"id": 1, "deprecated": 0}
    return TargetRow(**{**empty, **fields})


@pytest.mark.parametrize("release", ["catalogue", "older"])
def test_every_operation_of_every_release_finds_itself(request, release):
    """A store recorded against a catalogue is reported against it without a finding."""
    catalogue = request.getfixturevalue(release)
    for operation in catalogue.operations.values():
        row = target(kind="operation", operation=operation.id, method=operation.method, path=operation.path)
        assert resolve(row, catalogue).operation is operation


def test_an_operation_is_found_by_its_path_where_its_id_has_changed(catalogue):
    """Ids are names and may change between documents; method and path are what was called."""
    row = target(kind="operation", operation="oldName", method="GET", path="/api/v1/namespaces/{namespace}/pods/{name}")
    assert resolve(row, catalogue).operation.id == "readCoreV1NamespacedPod"


def test_what_is_beyond_the_stores_caps_keeps_its_class(catalogue):
    """Of paths that the store no longer told apart only the kind is known; they are not held against a catalogue."""
    found = resolve(target(kind="unknown-path", path=OTHER), catalogue)
    assert (found.finding, found.path) == (Finding.UNKNOWN_PATH, OTHER)
    assert "store keeps" in found.reason


def test_deprecated_alpha_and_beta_are_classes_and_discovery_is_not(catalogue):
    """An operation may be in two classes; asking what a beta group has is in none."""
    classes = {operation.id: classes_of_operation(operation) for operation in catalogue.operations.values()}
    assert classes["watchResourceV1beta1DeviceClassList"] == (FindingClass.DEPRECATED, FindingClass.BETA)
    assert classes["listResourceV1beta1DeviceClass"] == (FindingClass.BETA,)
    assert classes["getResourceV1beta1APIResources"] == ()
    assert classes["listCoreV1Node"] == ()


@pytest.mark.parametrize(
    ("finding", "refused", "answered"),
    [
        (Finding.UNKNOWN_PATH, FindingClass.INVALID, FindingClass.UNLISTED),
        (Finding.UNKNOWN_GROUP_VERSION, FindingClass.INVALID, FindingClass.UNLISTED),
        (Finding.METHOD_NOT_ALLOWED, FindingClass.INVALID, FindingClass.UNLISTED),
        (Finding.REMOVED, FindingClass.REMOVED, FindingClass.REMOVED),
        (Finding.NOT_API, None, None),
    ],
)
def test_an_answer_without_an_error_is_never_invalid(finding, refused, answered):
    """Every class of finding is decided by why there is no operation, and by whether the server knew better."""
    assert class_of_finding(finding, answered=False) is refused
    assert class_of_finding(finding, answered=True) is answered
