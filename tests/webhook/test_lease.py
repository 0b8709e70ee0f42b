"""Who leads."""

import pytest

from apisnoop_webhook.lease import DURATION, Leadership
from webhook.memory_cluster import MemoryCluster

PATH = "/apis/coordination.k8s.io/v1/namespaces/apisnoop/leases/apisnoop-webhook"


class Clock:
    """A clock that is set."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock that both replicas read."""
    return Clock()


@pytest.fixture
def replicas(clock):
    """Give two replicas and an empty lease, as the chart makes it."""
    cluster = MemoryCluster()
    cluster.put(PATH, {"metadata": {"name": "apisnoop-webhook"}})
    return [Leadership(cluster, "apisnoop", "apisnoop-webhook", name, clock) for name in ("one", "two")]


def test_the_first_to_ask_leads(replicas):
    """An empty lease is free."""
    one, two = replicas
    assert one.tend()
    assert not two.tend()
    assert (one.held, two.held) == (True, False)


def test_a_leader_that_goes_on_asking_stays(replicas, clock):
    """Each renewal begins the duration anew, for whoever watches."""
    one, two = replicas
    one.tend()
    for _ in range(5):
        clock.now += DURATION / 2
        assert one.tend()
        assert not two.tend()


def test_a_silent_leader_is_followed_by_another_and_knows_it(replicas, clock):
    """The old one counts itself out before anyone else may take over."""
    one, two = replicas
    one.tend()
    two.tend()
    clock.now += DURATION * 0.9
    assert not one.held
    assert not two.tend()
    clock.now += DURATION * 0.2
    assert two.tend()
    assert not one.tend()


def test_a_leader_that_ends_lets_go(replicas):
    """The next one need not wait."""
    one, two = replicas
    one.tend()
    one.release()
    assert two.tend()
    assert not one.held


def test_of_two_that_write_at_once_one_leads(replicas, clock):
    """The server refuses the one that read an older lease."""
    one, two = replicas
    reads = two._cluster.get
    stale = reads(PATH)
    one.tend()
    two._cluster.get = lambda _: stale
    assert not two.tend()
