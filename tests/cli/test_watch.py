"""What `apisnoop watch` says of itself; its streams and filters have tests of their own."""

import pytest

from apisnoop.cli import live_calls
from apisnoop.fleet.call_filter import parse_verbs
from apisnoop.fleet.verbs import OTHER_VERBS, VERBS
from tests.cli.fake_api import FakeApi
from tests.cli.reporting import run


def test_the_help_has_every_verb_that_is_taken():
    """In the order of the message for one that is not."""
    help_text = " ".join(run("watch", "--help").stdout.split())
    assert f"{', '.join(VERBS)}; of requests that are about no object: {', '.join(OTHER_VERBS)}." in help_text
    assert parse_verbs(VERBS + OTHER_VERBS) == {*VERBS, *OTHER_VERBS}


class NoStreams:
    """Streams of a cluster in which nothing happens; what is asked aside is kept as it is said."""

    said: list[str]

    def __init__(self, *_):
        NoStreams.said = []

    def ask_aside(self, ask):
        """Ask at once."""
        self.said.append(ask())

    def events(self):
        """Give nothing."""
        return iter(())

    def close(self):
        """There is nothing to end."""


@pytest.mark.parametrize(("resource", "said"), [("podz", "podz (did you mean pods?)"), ("pods", "")])
def test_a_resource_that_nobody_has_is_said_while_the_watch_goes_on(monkeypatch, resource, said):
    """Its table would stay empty, for ever and without a word."""
    monkeypatch.setattr("apisnoop.cli.cluster_objects.open_api", lambda *_: FakeApi())
    monkeypatch.setattr(live_calls, "agents_to_pull", lambda *_: [])
    monkeypatch.setattr(live_calls, "Streams", NoStreams)
    answer = run("watch", "--resource", resource)
    assert answer.exit_code == 0
    told = [text for text in NoStreams.said if "--resource" in text]
    assert bool(told) == bool(said)
    assert all(said in text for text in told)
