"""Whether connections may be led to the proxy."""

import pytest

from apisnoop_tproxy.health import Health, State


def test_a_proxy_that_beats_is_well():
    """Beats on time keep it well."""
    health = Health(0.0)
    for tenth in range(1, 50):
        health.beat(tenth / 10, 0.01)
        assert health.state(tenth / 10) is State.WELL


@pytest.mark.parametrize(("now", "state"), [(0.7, State.WELL), (0.8, State.SHED), (1.9, State.SHED), (2.1, State.DEAD)])
def test_silence_sheds_and_then_breaks(now, state):
    """Nothing is led to a silent proxy, and after two seconds it counts as dead."""
    assert Health(0.0).state(now) is state


def test_lag_sheds_until_it_has_been_well_for_a_while():
    """Lag above a quarter of a second sheds at once; two good seconds are needed to come back."""
    health = Health(0.0)
    health.beat(0.5, 0.0)
    health.beat(1.0, 0.26)
    assert "260 ms late" in health.why
    for moment, state in [
        (1.1, State.SHED),
        (1.6, State.SHED),
        (2.2, State.SHED),
        (2.8, State.SHED),
        (3.1, State.WELL),
    ]:
        health.beat(moment, 0.0)
        assert health.state(moment) is state


def test_a_silence_that_nobody_listened_to_is_excused():
    """Time in which the agent itself stood still does not count."""
    health = Health(0.0)
    health.excuse(3.0)
    assert health.state(3.1) is State.WELL


def test_a_proxy_that_ends_does_not_recover():
    """Nothing is led to it any more, however well it beats."""
    health = Health(0.0)
    health.leave()
    for moment in (0.1, 0.5, 1.0, 30.0):
        health.beat(moment, 0.0)
        assert health.state(moment) is State.SHED
    assert health.why == "the proxy ends"
