"""Marks from an earlier time, which install and uninstall name."""

from apisnoop.cli.already_marked import marked_objects, tell_marked
from tests.cli.fake_api import FakeApi, made
from tests.fleet.things import LABELS, NOW

ON = {"apisnoop": "true"}
SAID = {"one": "is marked", "more": "are marked"}


def test_every_kind_that_can_ask_is_looked_at():
    """Namespaces by their label, the others by their annotation; no, and what is over, is no asking."""
    api = FakeApi(
        made("Deployment", "web", "shop", annotations=ON),
        made("Deployment", "db", "shop", annotations={"apisnoop": "false"}),
        made("Pod", "old", "shop", annotations={**ON, "apisnoop/until": "2020-01-01T00:00:00Z"}),
        made("Pod", "agent", "apisnoop", annotations=ON, labels=LABELS),
        made("Namespace", "bank", labels=ON),
        made("Namespace", "shop", annotations=ON),
    )
    assert marked_objects(api, NOW) == ["deployment/web -n shop", "namespace/bank"]


def test_they_are_named_with_the_command_that_takes_them_back(capsys):
    """A few of them; of a cluster that is full of them the number will do."""
    tell_marked(FakeApi(made("Pod", "web", "shop", annotations=ON)), **SAID)
    assert capsys.readouterr().err == (
        "apisnoop: 1 object is marked: pod/web -n shop; to take it back: kubectl apisnoop off pod/web -n shop\n"
    )
    tell_marked(FakeApi(*(made("Pod", f"web-{number}", "shop", annotations=ON) for number in range(7))), **SAID)
    assert "7 objects are marked: pod/web-0 -n shop, " in (said := capsys.readouterr().err)
    assert "web-4 -n shop and 2 more; to take" in said


def test_nothing_is_said_where_nothing_asks_or_may_be_read(capsys):
    """But in the second case what was left out."""
    tell_marked(FakeApi(), **SAID)
    assert capsys.readouterr().err == ""
    api = FakeApi()
    api.refused.add("/api/v1/pods")
    tell_marked(api, **SAID)
    assert "left out which objects ask to be recorded" in capsys.readouterr().err
