"""The rule as text and as leases; each text is the golden itself."""

import socket
from pathlib import Path

import pytest

from apisnoop_tproxy.rules import Redirect, parse_comment, render_table, split_families

GOLDENS = Path(__file__).parent / "goldens"
DESTINATIONS = [("10.96.0.1", 443), ("fd00:10:96::1", 443), ("10.89.0.1", 6443), ("10.89.0.1", 6443)]
PORTS = {
    "ipv4": {socket.AF_INET: 40001},
    "ipv6": {socket.AF_INET6: 40002},
    "both": {socket.AF_INET: 40001, socket.AF_INET6: 40002},
}


@pytest.mark.parametrize("families", PORTS)
def test_the_table_of_each_family(families, request):
    """The table is what the golden file shows, for either address family and both."""
    text = render_table(Redirect("0f3a", PORTS[families], 5.0), DESTINATIONS)
    golden = GOLDENS / f"table-{families}.nft"
    if request.config.getoption("--regenerate"):
        golden.write_text(text)
    assert text == golden.read_text()


def test_a_table_says_whose_it_is():
    """What the comment says can be read again, and other tables' comments are not ours."""
    text = render_table(Redirect("0f3a", PORTS["both"], 5.0), DESTINATIONS)
    comment = text.partition('comment "')[2].partition('"')[0]
    assert parse_comment(comment) == ("0f3a", (40001, 40002))
    assert len(comment) <= 128
    assert parse_comment("somebody's") is None


def test_addresses_are_in_order():
    """Each family's addresses are there once, by number."""
    assert split_families([("10.10.0.1", 1), ("10.9.0.1", 2), ("::2", 1), ("10.9.0.1", 2)]) == {
        socket.AF_INET: [("10.9.0.1", 2), ("10.10.0.1", 1)],
        socket.AF_INET6: [("::2", 1)],
    }
