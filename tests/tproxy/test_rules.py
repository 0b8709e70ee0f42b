"""The rule as nft(8) shows it, in a real network namespace; each text is the golden itself."""

import socket
import subprocess
from pathlib import Path

import pytest

from apisnoop_tproxy.nft import apply_rules
from apisnoop_tproxy.rules import Redirect, began, is_newer, new_generation, parse_comment, split_families

GOLDENS = Path(__file__).parent / "goldens"
DESTINATIONS = [("10.96.0.1", 443), ("fd00:10:96::1", 443), ("10.89.0.1", 6443), ("10.89.0.1", 6443)]
PORTS = {
    "ipv4": {socket.AF_INET: 40001},
    "ipv6": {socket.AF_INET6: 40002},
    "both": {socket.AF_INET: 40001, socket.AF_INET6: 40002},
}


def found(podlike):
    """Give what the kernel has, as nft(8) shows it and as we read it."""
    command = ["nft", "--stateless", "list", "table", "inet", "apisnoop"]
    shown = podlike.run(lambda: subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return shown, podlike.table()


@pytest.mark.parametrize("families", PORTS)
def test_the_table_of_each_family(podlike, families):
    """To the kernel it is in every byte what libnftables makes of the golden file, for each address family and both."""
    podlike.put(Redirect("0f3a", PORTS[families], 600.0), DESTINATIONS)
    ours = found(podlike)
    podlike.run(lambda: apply_rules(f"delete table inet apisnoop\n{(GOLDENS / f'table-{families}.nft').read_text()}"))
    assert found(podlike) == ours
    assert (ours[1].generation, ours[1].ports) == ("0f3a", tuple(PORTS[families].values()))


def test_a_table_says_whose_it_is():
    """What the comment says can be read again, and fits; other tables' comments are not ours."""
    text = (GOLDENS / "table-both.nft").read_text()
    comment = text.partition('comment "')[2].partition('"')[0]
    assert parse_comment(comment) == ("0f3a", (40001, 40002))
    assert len(comment) <= 128
    assert parse_comment("somebody's") is None


@pytest.mark.parametrize(
    "forged",
    [
        "apisnoop 0192f3a4c5d6e1f0 ports 1:",
        "apisnoop 0f3a ports 123456:",
        "apisnoop 0f3a ports 65536:",
        "apisnoop 0f3a ports 40001 0:",
        "apisnoop 0f3a ports 1 2 3:",
        "apisnoop 0f3a ports :",
        "apisnoop ports 1:",
        "apisnoop 0F3A ports 1:",
    ],
)
def test_a_comment_that_we_would_not_write_is_not_ours(forged):
    """Longer generations, more ports or larger numbers than ours are not read."""
    assert parse_comment(forged) is None


def test_a_generation_tells_when_it_began():
    """An agent's generation is the moment of its start; what is none began at no time."""
    assert began(new_generation(1795289421.261)) == 1795289421.261
    assert is_newer(new_generation(1795289422), new_generation(1795289421.9))
    assert began("") == began("dead") == 0.0


def test_addresses_are_in_order():
    """Each family's addresses are there once, by number."""
    assert split_families([("10.10.0.1", 1), ("10.9.0.1", 2), ("::2", 1), ("10.9.0.1", 2)]) == {
        socket.AF_INET: [("10.9.0.1", 2), ("10.10.0.1", 1)],
        socket.AF_INET6: [("::2", 1)],
    }
