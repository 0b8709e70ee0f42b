"""What `apisnoop watch` says of itself; its streams and filters have tests of their own."""

from apisnoop.fleet.call_filter import parse_verbs
from apisnoop.fleet.verbs import OTHER_VERBS, VERBS
from tests.cli.reporting import run


def test_the_help_has_every_verb_that_is_taken():
    """In the order of the message for one that is not."""
    help_text = " ".join(run("watch", "--help").stdout.split())
    assert f"{', '.join(VERBS)}; of requests that are about no object: {', '.join(OTHER_VERBS)}." in help_text
    assert parse_verbs(VERBS + OTHER_VERBS) == {*VERBS, *OTHER_VERBS}
