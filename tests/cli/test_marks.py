"""What `on` and `off` share; what they do is tested on a real API server."""

import pytest

from apisnoop.cli.marks import Chosen, each_object, place_of, some_pods
from apisnoop.errors import ApisnoopError
from apisnoop.fleet.kinds import DEPLOYMENT, NAMESPACE
from tests.fleet.things import thing

WEB, DB = (Chosen(DEPLOYMENT, thing(name).metadata) for name in ("web", "db"))
SHOP, BANK = (Chosen(NAMESPACE, thing(name, "").metadata) for name in ("shop", "bank"))


@pytest.mark.parametrize(
    ("chosen", "place"),
    [([WEB, DB], " -n shop"), ([SHOP], " -n shop"), ([SHOP, WEB], " -n shop"), ([SHOP, BANK], ""), ([BANK, WEB], "")],
)
def test_a_namespace_is_named_where_all_pods_are_in_it(chosen, place):
    """Whoever marks two namespaces wants to see both."""
    assert place_of(chosen) == place


def test_a_failure_names_the_object_and_what_was_done_before_it():
    """Nobody has to find out how far it came."""
    done = []

    def act(one):
        if one is DB:
            raise ApisnoopError("no")
        done.append(one)

    with pytest.raises(ApisnoopError, match=r"^deployment/db: no \(1 object before it: done\)$"):
        each_object([WEB, DB, SHOP], act)
    assert done == [WEB]


def test_of_many_pods_a_few_are_named():
    """Without their namespace, which is known, and harmless for a terminal."""
    pods = [(f"shop/web-{number}", "why") for number in range(7)]
    assert some_pods(pods[:2]) == "web-0, web-1"
    assert some_pods(pods) == "web-0, web-1, web-2, web-3, web-4 and 2 more"
    assert some_pods([("shop/\x1b[2J", "why")]) == "\ufffd[2J"
