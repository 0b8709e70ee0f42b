"""Where apisnoop is installed, and what an update does to what is there."""

import json

import pytest

from apisnoop.cli.home import demand_one_home, path_of, tell_new_records
from apisnoop.errors import ApisnoopError
from tests.cli.fake_api import FakeApi, made
from tests.fleet.things import LABELS

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
    assert demand_one_home(FakeApi(going), "apisnoop", "apisnoop") is None


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
