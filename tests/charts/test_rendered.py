"""What the chart renders: looked at by a person, known to the lowest Kubernetes, and accepted by a real API server."""

import json

import pytest
import yaml

from tests.charts.fields import is_known, strangers
from tests.charts.rendering import GOLDEN, MODES, objects, rendered

pytestmark = pytest.mark.cluster  # helm comes with the test cluster's programs
OTHERS = {"cert-manager", "service-monitor"}
"""Modes with objects of other projects."""


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_renders_what_a_person_looked_at(request, mode):
    """Whatever changes in a rendered object is seen in its golden file."""
    text, path = rendered(MODES[mode]), GOLDEN / f"{mode}.yaml"
    if request.config.getoption("--regenerate"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{path.name} differs: look at it, then pytest --regenerate"


@pytest.mark.parametrize("mode", MODES)
def test_the_lowest_supported_kubernetes_has_every_field(mode):
    """A field that came later than 1.30, or a value of another type, would be refused or dropped there."""
    things = [one for one in yaml.safe_load_all((GOLDEN / f"{mode}.yaml").read_text()) if one and is_known(one)]
    assert len(things) > 20
    assert [path for one in things for path in strangers(one)] == []


def test_a_field_of_a_later_kubernetes_is_found():
    """So is a number where a word is expected."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 1}, "spec": {"resources": {}, "hostPID": True}}
    assert strangers(pod) == ["Pod.metadata.name is int, not string", "Pod.spec.resources"]


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in OTHERS])
def test_a_real_api_server_takes_every_object_strictly(api_server, namespace, mode):
    """No unknown or doubled field, and every expression compiles."""
    things = objects(MODES[mode])
    for thing in things:
        if thing["metadata"].get("namespace") == "apisnoop":
            thing["metadata"]["namespace"] = namespace
        if thing["kind"] == "Pod":
            thing["spec"]["serviceAccountName"] = "default"  # its own would have to be there
    whole = json.dumps({"apiVersion": "v1", "kind": "List", "items": things})
    told = api_server.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", "-o", "name", stdin=whole)
    assert len(told.splitlines()) == len(things)
