"""Where apisnoop is installed, and what an update does to what is there."""

import json
from pathlib import Path

import pytest

from apisnoop.cli.home import (
    ENFORCE,
    MANAGED_BY,
    OURS,
    PRIVILEGED,
    demand_one_home,
    path_of,
    prepare_namespace,
    tell_new_records,
)
from apisnoop.errors import ApisnoopError
from tests.cli.fake_api import FakeApi, made
from tests.fleet.things import LABELS

GOLDEN = Path(__file__).parents[1] / "charts" / "golden"
HOME = "/api/v1/namespaces/apisnoop"
SET = made("DaemonSet", "apisnoop-agent", "apisnoop", labels=LABELS, generation=3)


def test_an_installation_elsewhere_is_named_before_anything_is_made():
    """With what brings it up to date, and what makes room for another."""
    with pytest.raises(ApisnoopError, match="is installed already in namespace apisnoop") as raised:
        demand_one_home(FakeApi(SET), "other", "apisnoop")
    assert "kubectl apisnoop install -n apisnoop brings it up to date" in str(raised.value)
    assert "kubectl apisnoop uninstall -n apisnoop" in str(raised.value)


def test_another_release_in_the_same_namespace_is_another_installation():
    """Their agents would take pods from one another."""
    release = {**LABELS, "app.kubernetes.io/instance": "watch"}
    api = FakeApi(made("DaemonSet", "watch-agent", "apisnoop", labels=release))
    with pytest.raises(ApisnoopError, match="install -n apisnoop --release watch"):
        demand_one_home(api, "apisnoop", "apisnoop")


def test_what_is_on_its_way_out_is_no_installation():
    """Nothing keeps a new one from being made."""
    going = made("DaemonSet", "apisnoop-agent", "old", labels=LABELS, deletionTimestamp="2027-01-15T07:00:00Z")
    api = FakeApi(going)
    assert demand_one_home(api, "apisnoop", "apisnoop") is None
    api.refused.add("/apis/apps/v1/daemonsets")
    assert demand_one_home(api, "old", "apisnoop") is None


@pytest.mark.parametrize(("generation", "says"), [(3, ""), (4, "every node begins a new record")])
def test_a_new_record_is_told_only_where_agents_are_replaced(generation, says, capsys):
    """An install that changes nothing loses nothing."""
    api = FakeApi(json.loads(json.dumps(SET)))
    before = demand_one_home(api, "apisnoop", "apisnoop")
    api.objects[path_of(before)]["metadata"]["generation"] = generation
    tell_new_records(api, before)
    said = capsys.readouterr().err
    assert says in said
    assert bool(said) == bool(says)


@pytest.mark.parametrize(
    ("privileged", "labels"), [(True, {MANAGED_BY: OURS, ENFORCE: "privileged"}), (False, {MANAGED_BY: OURS})]
)
def test_a_namespace_is_made_with_no_more_leave_than_the_agents_need(privileged, labels):
    """Mode init needs none."""
    api = FakeApi()
    prepare_namespace(api, "apisnoop", lambda: privileged)
    assert api.objects[HOME]["metadata"]["labels"] == labels


def test_what_helm_will_not_install_leaves_no_namespace():
    """A value that is not in the chart, for one."""
    api = FakeApi()

    def refuse():
        raise ApisnoopError("no such value")

    with pytest.raises(ApisnoopError, match="no such value"):
        prepare_namespace(api, "apisnoop", refuse)
    assert api.objects == {}


@pytest.mark.parametrize("level", ["baseline", "restricted"])
def test_agents_without_privileges_may_be_where_privileges_are_refused(level):
    """That is what mode init is for; the others are refused before anything is made, and told of it."""
    api = FakeApi(made("Namespace", "apisnoop", labels={ENFORCE: level}))
    prepare_namespace(api, "apisnoop", lambda: False)
    with pytest.raises(ApisnoopError, match=f"enforces PodSecurity {level}.*interception.mode=init"):
        prepare_namespace(api, "apisnoop", lambda: True)


@pytest.mark.parametrize("level", [None, "privileged"])
def test_nothing_is_rendered_for_a_namespace_that_takes_everything(level):
    """It takes a moment."""
    api = FakeApi(made("Namespace", "apisnoop", labels={ENFORCE: level} if level else {}))
    prepare_namespace(api, "apisnoop", lambda: pytest.fail("rendered"))


@pytest.mark.parametrize(("name", "privileged"), [("default", True), ("own-ca", True), ("init", False)])
def test_privileges_are_seen_in_what_the_chart_makes(name, privileged):
    """In every mode but init."""
    assert bool(PRIVILEGED.search((GOLDEN / f"{name}.yaml").read_text())) is privileged
