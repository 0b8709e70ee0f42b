"""What `on` says of what it has done; that it does it is tested on a real API server."""

import pytest

from apisnoop.errors import ExitCode
from apisnoop.node.wanted import MARK, UNTIL
from tests.cli.fake_api import FakeApi, made
from tests.cli.reporting import run
from tests.fleet.things import agent

LATER = "2999-01-31T18:00:00Z"
BROKEN = "connections to the API that are older than the recording are broken once"


class PatchedApi(FakeApi):
    """Takes patches, too."""

    def patch(self, path, change):
        """Keep what metadata becomes."""
        kept = self.objects[path]["metadata"]
        for place, values in change["metadata"].items():
            merged = {**kept.get(place, {}), **values}
            kept[place] = {key: value for key, value in merged.items() if value is not None}


@pytest.fixture
def shop(monkeypatch):
    """A namespace with a pod that asks until later, and one that does not ask."""
    api = PatchedApi(
        made("Namespace", "shop"),
        made("Pod", "web", "shop", annotations={MARK: "true", UNTIL: LATER}),
        made("Pod", "db", "shop"),
    )
    monkeypatch.setattr("apisnoop.cli.marks.open_api", lambda *_: api)
    return api


def test_an_end_that_is_taken_back_is_said(shop):
    """Whoever says `on` again may not know of it."""
    answer = run("on", "web", "db", "-n", "shop")
    assert answer.stdout == f"pod/web: on, no longer ends at {LATER}, 1 pod: web\npod/db: on, 1 pod: db\n"
    assert run("on", "web", "-n", "shop").stdout == "pod/web: on, 1 pod: web\n"


def test_an_end_that_another_takes_the_place_of_is_not_said(shop):
    """The new one is."""
    assert "no longer" not in run("on", "web", "-n", "shop", "--for", "10m").stdout


def test_a_reset_says_what_is_broken(shop):
    """Once, of however many objects."""
    assert run("on", "web", "db", "-n", "shop", "--reset").stderr.count(BROKEN) == 1
    assert BROKEN not in run("on", "web", "-n", "shop").stderr


def test_a_reset_says_nothing_where_there_is_nothing_to_break(shop, monkeypatch):
    """In mode init pods are recorded from their beginning, or not at all."""
    monkeypatch.setattr("apisnoop.cli.marks.is_init_mode", lambda _: True)
    monkeypatch.setattr("apisnoop.cli.marks.find_agents", lambda *_: [agent("n1")])
    assert BROKEN not in run("on", "web", "-n", "shop", "--reset").stderr


@pytest.mark.parametrize("verb", ["on", "off"])
@pytest.mark.parametrize("words", [["deploy/web"], ["-l", "app=web"]])
def test_a_namespace_that_is_not_there_is_what_is_named(shop, verb, words):
    """An object in it cannot be there either."""
    answer = run(verb, *words, "-n", "shp")
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert answer.stderr == "apisnoop: no namespace shp; see kubectl get namespaces\n"


def test_an_object_that_is_not_there_is_named_with_its_namespace(shop):
    """Also for who may not see whether that is there."""
    for refused in (set(), {"/api/v1/namespaces/shop"}):
        shop.refused = refused
        said = run("on", "deploy/wbe", "-n", "shop").stderr
        assert said == "apisnoop: no deployment wbe in namespace shop; see kubectl get deployments -n shop\n"
