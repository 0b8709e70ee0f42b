"""Our table as it is read back, in a real network namespace, where somebody else may have written it."""

import socket
import subprocess

import msgspec
import pytest

from apisnoop_tproxy.nft import apply_rules
from apisnoop_tproxy.rules import Redirect, encode_leases
from apisnoop_tproxy.table import TOO_LARGE
from tests.tproxy.podlike import API, API6

OURS = Redirect("0a", {socket.AF_INET: 40001, socket.AF_INET6: 40002}, 5.0)
ADDRESSES = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(20_000)]
FILLINGS = {
    "rules": ["chain output {", *(f"ip daddr {one} accept" for one in ADDRESSES[:2000]), "}"],
    "elements": ["set one {", "type ipv4_addr", f"elements = {{ {', '.join(ADDRESSES)} }}", "}"],
    "chains": [line for number in range(20) for line in (f"chain c{number} {{", "}")],
}
EDITS = {
    "rules removed": "flush chain inet apisnoop output",
    "another rule": "add rule inet apisnoop output tcp dport 80 drop",
    "first rule": "insert rule inet apisnoop output accept",
    "another chain": "add chain inet apisnoop another",
    "another policy": "add chain inet apisnoop output { policy drop; }",
    "another set": "add set inet apisnoop another { type ipv4_addr; }",
    "asleep": "add table inet apisnoop { flags dormant; }",
}
REPLACEMENTS = {
    "a size": ("timeout 5s", "timeout 5s\n\t\tsize 1"),
    "a limit": ("timeout 5s", "timeout 5s\n\t\tlimit rate 1/day"),
    "another time": ("timeout 5s", "timeout 6s"),
    "another comment": ("records", "hides"),
    "another generation": ("apisnoop 0a", "apisnoop 0b"),
    "another port": ("to :40001", "to :40003"),
}


@pytest.fixture
def netfilter(podlike):
    """Give what the agent has in the pod."""
    found = podlike.netfilter()
    yield found
    found.close()


def test_a_table_is_found_and_removed(netfilter):
    """What is found tells generation and ports; leases do not change its fingerprint; removed, it is gone for good."""
    assert netfilter.find() is None
    netfilter.put(OURS, [API])
    found = netfilter.find()
    assert (found.generation, found.ports) == ("0a", (40001, 40002))
    assert found.live
    netfilter.apply(encode_leases(OURS, []))
    assert netfilter.find() == msgspec.structs.replace(found, live=False)
    netfilter.apply(encode_leases(OURS, [API, API6]))
    assert netfilter.find() == found
    for _ in range(2):
        netfilter.remove()
        assert netfilter.find() is None


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_by_hand_is_noticed(podlike, netfilter, edit):
    """Whatever somebody changes in it, its fingerprint is another; put in place anew, it is what it was."""
    netfilter.put(OURS, [API])
    ours = netfilter.find()
    podlike.run(lambda: subprocess.run(["nft", EDITS[edit]], check=True))
    assert netfilter.find().fingerprint != ours.fingerprint
    netfilter.put(OURS, [API])
    assert netfilter.find() == ours


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_a_table_that_is_nearly_ours_is_another(podlike, netfilter, replacement):
    """Somebody may have put it in its place, with something that keeps leases from counting."""
    netfilter.put(OURS, ())
    ours = netfilter.find()
    shown = podlike.run(lambda: subprocess.check_output(["nft", "-s", "list", "table", "inet", "apisnoop"], text=True))
    podlike.run(lambda: apply_rules(f"delete table inet apisnoop\n{shown}"))
    assert netfilter.find() == ours
    old, new = REPLACEMENTS[replacement]
    assert old in shown
    podlike.run(lambda: apply_rules(f"delete table inet apisnoop\n{shown.replace(old, new)}"))
    assert netfilter.find().fingerprint != ours.fingerprint


def test_one_with_many_addresses_is_ours(netfilter):
    """An API server may have hundreds; that is of a size that is read."""
    netfilter.put(OURS, [API, API6, *((one, 6443) for one in ADDRESSES[:500])])
    assert netfilter.find().generation == "0a"


@pytest.mark.parametrize("filling", FILLINGS)
def test_one_that_is_too_large_is_not_read(podlike, netfilter, filling):
    """Whatever it is full of, it is nobody's that we know, can be asked for again, replaced and deleted."""
    podlike.run(lambda: apply_rules("\n".join(["table inet apisnoop {", *FILLINGS[filling], "}", ""])))
    for _ in range(2):
        assert netfilter.find() is TOO_LARGE
    netfilter.put(OURS, [API])
    assert netfilter.find().generation == "0a"
    netfilter.remove()
    assert netfilter.find() is None


def test_comments_that_nobody_wrote_are_read_with_care(podlike, netfilter):
    """One of ours in a table of somebody else is believed no further than that; another makes it nobody's."""
    podlike.run(lambda: apply_rules('table inet apisnoop { comment "apisnoop 0f3a ports 1: x"; }\n'))
    assert (netfilter.find().generation, netfilter.find().ports, netfilter.find().live) == ("0f3a", (1,), False)
    podlike.run(lambda: apply_rules('delete table inet apisnoop\ntable inet apisnoop { comment "mine"; }\n'))
    assert (netfilter.find().generation, netfilter.find().ports) == ("", ())
