"""Waiting for a signature, with an API server that ends watches as a test says; the rest is tested on a real one."""

import base64

import pytest

from apisnoop.errors import ApisnoopError
from apisnoop_certs.objects import ObjectNames, Objects
from apisnoop_certs.outcome import State

APPROVED = ("MODIFIED", {"status": {"conditions": [{"type": "Approved", "status": "True"}]}})
ISSUED = ("MODIFIED", {"status": {"certificate": base64.b64encode(b"chain").decode()}})


class Watched:
    """An API server of which every watch gives the next of a test's lists, and ends."""

    def __init__(self, *watches):
        self.watches = list(watches)

    def watch(self, _path, _name, _seconds):
        """Give what comes."""
        yield from self.watches.pop(0)


def wait(*watches, seconds=3600):
    """Wait for a request."""
    return Objects(Watched(*watches), ObjectNames("n", "", "", "")).await_request("apisnoop", seconds)


def test_a_watch_that_ends_early_is_begun_anew():
    """A server that restarts and a load balancer end it long before its time; that is not the signer's silence."""
    assert wait([APPROVED], [], [APPROVED, ISSUED]).chain == "chain"


def test_what_is_decided_ends_the_wait():
    """Also that it is gone."""
    assert wait([("DELETED", {})], [ISSUED]).state is State.DELETED


def test_when_the_time_is_over_it_is_said_how_it_stands():
    """There may be no time at all."""
    assert wait(seconds=0).state is State.PENDING


def test_an_error_of_the_server_ends_the_run():
    """In its own words."""
    with pytest.raises(ApisnoopError, match="watching request apisnoop broke off: too old; run again"):
        wait([("ERROR", {"message": "too old"})])
