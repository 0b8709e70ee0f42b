"""Whether a pod is to be recorded."""

import msgspec
import pytest

from apisnoop.node.wanted import Marks, Metadata, read_marks, wanted

NOW = 1_800_000_000.0
TEN_PAST = "2027-01-15T08:10:00Z"
POD, DEPLOYMENT, NAMESPACE = Marks("pod web-0"), Marks("deployment web"), Marks("namespace shop")


def on(marks, **words):
    """Give an object that says something."""
    return msgspec.structs.replace(marks, **words)


def marks(kind, **metadata):
    """Read what an object with this metadata says."""
    return read_marks(kind, msgspec.convert({"name": "web", **metadata}, Metadata))


@pytest.mark.parametrize(
    ("pod", "owner", "namespace", "yes", "who"),
    [
        ("", "", "", False, "nothing asks"),
        ("true", "", "", True, "pod web-0"),
        ("", "true", "", True, "deployment web"),
        ("", "", "true", True, "namespace shop"),
        ("false", "true", "true", False, "pod web-0"),
        ("", "false", "true", False, "deployment web"),
        ("true", "false", "false", True, "pod web-0"),
        ("True", "", "", True, "pod web-0"),
        ("yes", "true", "true", False, "apisnoop=yes on pod web-0 is neither"),
    ],
)
def test_the_nearest_object_decides(pod, owner, namespace, yes, who):
    """A pod's word counts more than its owner's, and that more than its namespace's; nonsense is a no."""
    found = wanted(on(POD, mark=pod), [on(DEPLOYMENT, mark=owner)], on(NAMESPACE, mark=namespace), NOW)
    assert found.yes is yes
    assert who in found.why
    assert found.until is None


def test_nearer_owners_come_first():
    """Of several owners the first in the list is the nearest."""
    job, cron_job = Marks("job tidy-1", mark="false"), Marks("cronjob tidy", mark="true")
    assert not wanted(POD, [job, cron_job], NAMESPACE, NOW).yes
    assert wanted(POD, [on(job, mark=""), cron_job], NAMESPACE, NOW).yes


def test_recording_ends_at_its_time():
    """`apisnoop/until` ends it, wherever it is said at or before the object that decides."""
    until = NOW + 600
    assert wanted(on(POD, mark="true", until=TEN_PAST), [], NAMESPACE, NOW).until == until
    assert wanted(on(POD, until=TEN_PAST), [], on(NAMESPACE, mark="true"), NOW).until == until
    assert wanted(on(POD, mark="true"), [], on(NAMESPACE, until=TEN_PAST), NOW).until is None
    over = wanted(on(POD, mark="true", until=TEN_PAST), [], NAMESPACE, until)
    assert not over.yes
    assert "its time is over" in over.why


@pytest.mark.parametrize("until", ["tomorrow", "2027-01-15T08:10:00", "10m"])
def test_a_time_that_cannot_be_read_records_nothing(until):
    """Who wants an end gets no recording without one."""
    found = wanted(on(POD, mark="true", until=until), [], NAMESPACE, NOW)
    assert not found.yes
    assert f"apisnoop/until={until} on pod web-0" in found.why


def test_no_recording_is_longer_than_the_longest():
    """The longest duration counts from when it was asked for, and an earlier end is kept."""
    assert wanted(on(POD, mark="true", since=NOW - 60), [], NAMESPACE, NOW, 100).until == NOW + 40
    assert wanted(on(POD, mark="true"), [], NAMESPACE, NOW, 100).until == NOW + 100
    assert wanted(on(POD, mark="true", until=TEN_PAST), [], NAMESPACE, NOW, 3600).until == NOW + 600
    assert not wanted(on(POD, mark="true", since=NOW - 101), [], NAMESPACE, NOW, 100).yes


def test_reset_is_asked_for_in_so_many_words():
    """Connections are broken only where that is said."""
    assert wanted(on(POD, mark="true", reset="true"), [], NAMESPACE, NOW).reset
    assert wanted(POD, [on(DEPLOYMENT, mark="true", reset="true")], NAMESPACE, NOW).reset
    assert not wanted(on(POD, reset="false"), [on(DEPLOYMENT, mark="true", reset="true")], NAMESPACE, NOW).reset
    assert not wanted(on(POD, mark="true"), [], NAMESPACE, NOW).reset


def test_marks_are_annotations_or_labels():
    """An annotation counts more than a label; a namespace has only the label; the legacy annotation is understood."""
    assert marks("pod", annotations={"apisnoop": "false"}, labels={"apisnoop": "true"}).mark == "false"
    assert marks("pod", labels={"apisnoop": "true"}).mark == "true"
    assert marks("namespace", annotations={"apisnoop": "true"}).mark == ""
    assert marks("namespace", labels={"apisnoop": "true"}, annotations={"apisnoop/until": TEN_PAST}).until == TEN_PAST
    legacy = {"initializer.kubernetes.io/tproxy": "true"}
    assert marks("pod", annotations=legacy).mark == "true"
    assert marks("pod", annotations={**legacy, "apisnoop": "false"}).mark == "false"
    assert marks("pod", annotations=None, labels=None) == Marks("pod web")
    assert read_marks("pod", msgspec.convert({"generateName": "web-"}, Metadata)).source == "pod web-"


def test_the_moment_of_the_mark_is_what_the_server_noted():
    """The newest entry of managedFields that owns the mark tells when; without any, the object's own beginning."""
    fields = {"f:metadata": {"f:annotations": {"f:apisnoop": {}}}}
    other = {"f:metadata": {"f:annotations": {"f:apisnoop/until": {}, "f:apisnooping": {}}}}
    document = {
        "name": "web",
        "annotations": {"apisnoop": "true"},
        "creationTimestamp": "2027-01-15T07:00:00Z",
        "managedFields": [
            {"time": "2027-01-15T07:30:00Z", "fieldsV1": fields},
            {"time": "2027-01-15T07:59:00Z", "fieldsV1": other},
            {"fieldsV1": fields},
        ],
    }
    found = msgspec.json.decode(msgspec.json.encode(document), type=Metadata)
    assert read_marks("pod", found).since == NOW - 1800
    assert read_marks("pod", msgspec.structs.replace(found, managed_fields=None)).since == NOW - 3600
    assert marks("pod", labels={"apisnoop": "true"}).since is None


def test_a_deployments_replica_set_says_nothing_of_its_own():
    """Its annotations are copies, which stay when the Deployment loses them; one made by hand speaks for itself."""
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1", "controller": True}
    said = {"annotations": {"apisnoop": "true"}}
    assert marks("replicaset", **said, ownerReferences=[owner]) == Marks("replicaset web")
    assert marks("replicaset", **said).mark == "true"
    assert marks("job", **said, ownerReferences=[{**owner, "kind": "CronJob"}]).mark == "true"
