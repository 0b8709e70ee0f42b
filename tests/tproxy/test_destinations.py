"""Where the API is, and was."""

from apisnoop_tproxy.destinations import MOST_FORMER, Reach


def test_an_address_stays_in_reach_when_it_is_withdrawn():
    """Connections are led to what is there now; those that are open may be older, and go on."""
    reach = Reach()
    assert reach.destine([("10.89.0.1", 6443), ("10.96.0.1", 443)])
    assert not reach.destine([("10.96.0.1", 443), ("10.89.0.1", 6443)])
    assert reach.destine([("10.96.0.1", 443), ("10.89.0.2", 6443)])
    assert reach.now == (("10.89.0.2", 6443), ("10.96.0.1", 443))
    assert ("10.89.0.1", 6443) in reach
    assert ("10.89.0.1", 443) not in reach
    assert ("10.89.0.3", 6443) not in reach


def test_only_so_many_former_addresses_are_remembered():
    """A server that moves for years does not fill our memory: the one withdrawn first is forgotten first."""
    reach = Reach()
    for number in range(MOST_FORMER + 2):
        reach.destine([("10.0.0.1", number)])
    assert ("10.0.0.1", 0) not in reach
    assert all(("10.0.0.1", number) in reach for number in range(1, MOST_FORMER + 2))
