"""Whether connections may be led to the proxy."""

import pytest

from apisnoop_tproxy.health import Health, State


def of_workers(*numbers):
    """Make the health of workers that have said who they are at the beginning of time."""
    health = Health()
    for number in numbers:
        health.join(number, 0.0)
    return health


def test_a_proxy_that_beats_is_well():
    """Beats on time keep it well."""
    health = of_workers(0)
    for tenth in range(1, 50):
        health.beat(0, tenth / 10, 0.01)
        assert health.state(tenth / 10) is State.WELL


@pytest.mark.parametrize(("now", "state"), [(0.7, State.WELL), (0.8, State.SHED), (1.9, State.SHED), (2.1, State.DEAD)])
def test_silence_sheds_and_then_breaks(now, state):
    """Nothing is led to a silent proxy, and after two seconds it counts as dead."""
    assert of_workers(0).state(now) is state


def test_lag_sheds_until_it_has_been_well_for_a_while():
    """Lag above a quarter of a second sheds at once; two good seconds are needed to come back."""
    health = of_workers(0)
    health.beat(0, 0.5, 0.0)
    health.beat(0, 1.0, 0.26)
    assert "260 ms late" in health.why
    for moment, state in [
        (1.1, State.SHED),
        (1.6, State.SHED),
        (2.2, State.SHED),
        (2.8, State.SHED),
        (3.1, State.WELL),
    ]:
        health.beat(0, moment, 0.0)
        assert health.state(moment) is state


def test_a_silence_that_nobody_listened_to_is_excused():
    """Time in which the agent itself stood still does not count."""
    health = of_workers(0)
    health.excuse(3.0)
    assert health.state(3.1) is State.WELL


def test_a_proxy_that_ends_does_not_recover():
    """Nothing is led to it any more, however well it beats."""
    health = of_workers(0)
    health.leave(0)
    for moment in (0.1, 0.5, 1.0, 30.0):
        health.beat(0, moment, 0.0)
        assert health.state(moment) is State.SHED
    assert health.why == "the proxy ends"


def test_one_that_is_silent_is_silent_for_all():
    """Nothing is led to workers of which one says nothing, however well the others beat."""
    health = of_workers(0, 1)
    for tenth in range(1, 20):
        health.beat(0, tenth / 10, 0.0)
    assert health.state(0.7) is State.WELL
    assert health.state(1.9) is State.SHED
    assert health.state(2.1) is State.DEAD
    health.beat(1, 2.2, 0.0)
    assert health.state(2.3) is State.SHED
    for tenth in range(23, 46):
        health.beat(0, tenth / 10, 0.0)
        health.beat(1, tenth / 10, 0.0)
    assert health.state(4.5) is State.WELL


def test_the_latest_loop_is_the_lag_of_all():
    """One that is late sheds, though another says after it that it is not."""
    health = of_workers(0, 1)
    health.beat(0, 0.5, 0.26)
    health.beat(1, 0.5, 0.01)
    assert health.lag == 0.26
    assert health.state(0.5) is State.SHED


def test_one_that_has_gone_is_expected_no_more():
    """Neither its silence nor its end counts, once its channel has closed."""
    health = of_workers(0, 1, 2)
    health.leave(1)
    health.beat(0, 0.5, 0.0)
    assert health.state(0.5) is State.SHED
    health.forget(1)
    assert health.state(0.5) is State.WELL
    health.beat(0, 1.0, 0.0)
    health.forget(2)
    assert health.state(1.0) is State.WELL
