"""From review to patch."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.node.wanted import REDIRECT_CONTAINER, WAIT_CONTAINER, Marks
from apisnoop_webhook.judgement import Surroundings
from apisnoop_webhook.settings import Interception, Situation, Trust
from webhook.reviews import INJECTION, READY, admitted, answered, patch_in, pod

GOLDEN = Path(__file__).parent / "golden"
TOKEN = {
    "name": "kube-api-access-x7k2p",
    "projected": {
        "sources": [
            {"serviceAccountToken": {"path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": []}},
        ]
    },
}
OWN = replace(READY, trust=Trust.OWN)
SMALL = {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}
PODS = {
    "bare": (pod(metadata={"name": "web", "annotations": {"apisnoop": "true"}}), READY, INJECTION),
    "by-label-without-annotations": (
        pod(metadata={"generateName": "web-", "labels": {"apisnoop": "true"}}),
        READY,
        INJECTION,
    ),
    "with-init-containers": (pod(initContainers=[{"name": "migrate", "image": "app:1"}]), READY, INJECTION),
    "with-resources": (pod(containers=[{"name": "app", "resources": SMALL}]), READY, INJECTION),
    "own-ca": (pod(volumes=[{"name": "data", "emptyDir": {}}, TOKEN]), OWN, INJECTION),
    "mode-init": (pod(), READY, replace(INJECTION, interception=Interception.INIT, destinations=("10.0.0.1:443",))),
}


@pytest.mark.parametrize("name", PODS)
def test_the_patch_is_the_one_a_person_looked_at(request, name):
    """Each kind of pod gets exactly the operations of its golden file."""
    thing, situation, injection = PODS[name]
    text = json.dumps(patch_in(answered(thing, situation=situation, injection=injection)), indent=2) + "\n"
    path = GOLDEN / f"{name}.json"
    if request.config.getoption("--regenerate"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


words = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=5)
containers = st.lists(
    st.fixed_dictionaries({"name": words, "image": words}, optional={"resources": st.sampled_from([SMALL, {}, None])}),
    max_size=3,
    unique_by=lambda one: one["name"],
)
volumes = st.lists(st.one_of(st.just(TOKEN), st.builds(lambda name: {"name": name, "emptyDir": {}}, words)), max_size=3)
metadata = st.fixed_dictionaries(
    {"annotations": st.dictionaries(words, words).map(lambda others: {**others, "apisnoop": "true"})},
    optional={"name": words, "generateName": words, "labels": st.none() | st.dictionaries(words, words)},
)
pods = st.builds(
    lambda meta, inits, apps, mounts: pod(metadata=meta, initContainers=inits, containers=apps, volumes=mounts),
    metadata,
    st.none() | containers,
    containers.filter(bool),
    st.none() | volumes,
)
situations = st.sampled_from([READY, OWN])
injections = st.sampled_from([INJECTION, replace(INJECTION, interception=Interception.INIT)])


@given(pods, situations, injections)
def test_a_pod_that_comes_again_gets_no_patch(thing, situation, injection):
    """What was injected is recognised by its effect."""
    once = admitted(thing, situation=situation, injection=injection)
    assert patch_in(answered(once, situation=situation, injection=injection)) == []


@given(pods, containers, situations)
def test_containers_added_in_between_stay_and_ours_is_first_again(thing, added, situation):
    """After other webhooks have put init containers before ours, ours moves to the front and all others keep order."""
    once = admitted(thing, situation=situation)
    added = [one for one in added if one["name"] != WAIT_CONTAINER]
    once["spec"]["initContainers"][:0] = added
    twice = admitted(once, situation=situation)["spec"]["initContainers"]
    assert twice[0]["name"] == WAIT_CONTAINER
    assert twice[1:] == [*added, *(thing["spec"]["initContainers"] or [])]


@given(pods, situations)
def test_everything_else_of_the_pod_stays(thing, situation):
    """Containers, names, labels and annotations of others are as they were."""
    after = admitted(thing, situation=situation)
    assert after["spec"]["containers"] == thing["spec"]["containers"]
    assert after["spec"]["initContainers"][1:] == (thing["spec"]["initContainers"] or [])
    assert {**after["metadata"], "annotations": {**thing["metadata"]["annotations"]}} == thing["metadata"]


@given(pods, situations)
def test_no_operation_replaces_a_list(thing, situation):
    """Others change the same pod: lists are only created empty where there is none, or changed by one element."""
    for operation in patch_in(answered(thing, situation=situation)):
        assert operation.get("value") == [] or not isinstance(operation.get("value"), list)


@given(pods)
def test_a_dry_run_gets_the_same_patch(thing):
    """A dry run shows what would be."""
    assert patch_in(answered(thing, dryRun=True)) == patch_in(answered(thing))


def test_own_ca_mode_changes_a_source_by_what_it_names():
    """A volume of the user's own that projects the cluster's authorities is changed too; other ConfigMaps are not."""
    mine = {"name": "mine", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}}
    other = {"name": "other", "projected": {"sources": [{"configMap": {"name": "settings"}}]}}
    after = admitted(pod(volumes=[other, mine, TOKEN]), situation=OWN)["spec"]["volumes"]
    assert after[0] == other
    assert after[1]["projected"]["sources"][0]["configMap"]["name"] == INJECTION.bundle
    assert after[2]["projected"]["sources"][1]["configMap"]["name"] == INJECTION.bundle


def test_a_copied_pod_of_another_version_gets_the_present_container():
    """`kubectl get -o yaml | kubectl apply` brings our container along; it is replaced, not doubled."""
    old = admitted(pod(), injection=replace(INJECTION, image="old:1"))
    names = [one["name"] for one in admitted(old)["spec"]["initContainers"]]
    assert names == [WAIT_CONTAINER]
    assert admitted(old)["spec"]["initContainers"][0]["image"] == INJECTION.image


def test_what_others_add_to_our_container_is_left_there():
    """The service account plugin mounts its volume into our container as well; that is no reason to begin anew."""
    once = admitted(pod())
    once["spec"]["initContainers"][0]["volumeMounts"] = [{"name": "kube-api-access-x", "mountPath": "/var/run"}]
    assert patch_in(answered(once)) == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"runtimeClassName": "gvisor"}, "gvisor"),
        ({"os": {"name": "windows"}}, "windows"),
        ({"nodeSelector": {"kubernetes.io/os": "windows"}}, "windows"),
    ],
)
def test_a_pod_that_cannot_be_recorded_is_left_alone_with_a_warning(changes, word):
    """It is created as it was asked for, and its creator is told why it is not recorded."""
    response = answered(pod(**changes))
    assert response["allowed"]
    assert "patch" not in response
    assert word in response["warnings"][0]


@pytest.mark.parametrize(
    ("situation", "word"),
    [
        (Situation(), "no certificate"),
        (replace(READY, agents_ready=False), "not ready"),
        (replace(READY, trust=Trust.NONE), "no certificate"),
    ],
)
def test_nothing_is_injected_while_nobody_could_enrol_the_pod(situation, word):
    """A pod that waits for agents that are not there would only start late."""
    response = answered(pod(), situation=situation)
    assert "patch" not in response
    assert word in response["warnings"][0]


def test_our_own_pods_are_left_alone():
    """What records must not wait to be recorded."""
    ours = {"annotations": {"apisnoop": "true"}, "labels": {"app.kubernetes.io/part-of": "apisnoop"}}
    assert "part of apisnoop" in answered(pod(metadata=ours))["warnings"][0]


@pytest.mark.parametrize("enforces", ["baseline", "restricted", None])
def test_mode_init_spares_pods_that_admission_would_refuse(enforces):
    """NET_ADMIN in such a namespace would cost the user the whole pod; so would one whose level is not known."""
    injection = replace(INJECTION, interception=Interception.INIT)
    response = answered(pod(), Surroundings(enforces=enforces), injection)
    assert "patch" not in response
    assert "NET_ADMIN" in response["warnings"][0]


def test_without_a_bundle_no_pod_is_made_to_wait_for_one():
    """A volume whose ConfigMap is missing would keep the pod from starting at all."""
    response = answered(pod(volumes=[TOKEN]), Surroundings(bundle_missing="no ConfigMap"), situation=OWN)
    assert "patch" not in response
    assert "no ConfigMap" in response["warnings"][0]


@pytest.mark.parametrize(
    ("own", "owners", "namespace", "injected"),
    [
        ("", "", "", False),
        ("", "", "true", True),
        ("", "false", "true", False),
        ("true", "false", "", True),
        ("false", "true", "true", False),
    ],
)
def test_the_nearest_word_decides(own, owners, namespace, injected):
    """The pod's word, then its owners', then its namespace's; a no gives neither patch nor warning."""
    thing = pod(metadata={"annotations": {"apisnoop": own} if own else None})
    around = Surroundings((Marks("deployment web", mark=owners),), Marks("namespace shop", mark=namespace))
    response = answered(thing, around)
    assert ("patch" in response) is injected
    assert "warnings" not in response


def test_the_legacy_annotation_counts():
    """Pods annotated for the tool that came before are recorded."""
    assert "patch" in answered(pod(metadata={"annotations": {"initializer.kubernetes.io/tproxy": "true"}}))


@pytest.mark.parametrize(
    "request_",
    [
        {"operation": "UPDATE"},
        {"subResource": "ephemeralcontainers"},
        {"resource": {"group": "apps", "version": "v1", "resource": "deployments"}},
    ],
)
def test_whatever_is_no_creation_of_a_pod_is_allowed_unchanged(request_):
    """A configuration that asks us too much changes nothing."""
    assert answered(pod(), **request_) == {"uid": "u-1", "allowed": True}


@pytest.mark.parametrize("resources", [SMALL, None])
def test_the_quality_of_service_stays(resources):
    """A pod without resources stays BestEffort, one with equal requests and limits stays Guaranteed."""
    after = admitted(pod(containers=[{"name": "app", "resources": resources}]))
    ours = after["spec"]["initContainers"][0].get("resources")
    assert ours is None if resources is None else ours["requests"] == ours["limits"]


def test_mode_init_asks_for_no_more_than_it_needs():
    """Two capabilities, no privilege, a read-only root."""
    after = admitted(pod(), injection=replace(INJECTION, interception=Interception.INIT))
    ours = after["spec"]["initContainers"][0]
    assert ours["name"] == REDIRECT_CONTAINER
    assert ours["securityContext"]["capabilities"] == {"add": ["NET_ADMIN"], "drop": ["ALL"]}
    assert ours["securityContext"]["readOnlyRootFilesystem"]
