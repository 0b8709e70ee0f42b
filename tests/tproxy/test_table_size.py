"""How large a table of our name is, in a real network namespace where somebody else has written it."""

import socket

import pytest

from apisnoop_tproxy import nft
from apisnoop_tproxy.nft import apply_rules, find_table, remove_table
from apisnoop_tproxy.rules import Redirect, render_table
from apisnoop_tproxy.table_size import Size, measure
from tests.tproxy.podlike import API, API6

OURS = Redirect("0a", {socket.AF_INET: 40001, socket.AF_INET6: 40002}, 5.0)
ADDRESSES = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(20_000)]
TOO_LARGE = {
    "rules": ["chain output {", *(f"ip daddr {one} accept" for one in ADDRESSES[:2000]), "}"],
    "elements": ["set one {", "type ipv4_addr", f"elements = {{ {', '.join(ADDRESSES)} }}", "}"],
    "chains": [line for number in range(20) for line in (f"chain c{number} {{", "}")],
}


def test_ours_is_listed(podlike):
    """None, and one of our own making with many addresses of the API server, are of a size that can be read."""
    assert podlike.run(measure) is Size.NONE
    destinations = [API, API6, *((one, 6443) for one in ADDRESSES[:500])]
    podlike.run(lambda: apply_rules(render_table(OURS, destinations)))
    assert podlike.run(measure) is Size.MODEST
    assert podlike.run(find_table).generation == "0a"


@pytest.mark.parametrize("filling", TOO_LARGE)
def test_one_that_is_too_large_is_not_read(podlike, filling, monkeypatch):
    """Whatever it is full of, it is nobody's that we know, is not listed, and can be replaced and deleted."""
    podlike.run(lambda: apply_rules("\n".join(["table inet apisnoop {", *TOO_LARGE[filling], "}", ""])))
    with monkeypatch.context() as patched:
        patched.setattr(nft, "list_table", lambda: pytest.fail("it was listed"))
        found = podlike.run(find_table)
    assert (found.generation, found.ports, found.live) == ("", (), True)
    assert podlike.run(measure) is Size.TOO_LARGE
    podlike.run(lambda: apply_rules(render_table(OURS, [API])))
    assert podlike.run(find_table).generation == "0a"
    podlike.run(remove_table)
    assert podlike.run(find_table) is None
