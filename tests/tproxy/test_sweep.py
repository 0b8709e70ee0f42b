"""When a pod's connection tracking is looked at."""

from apisnoop_tproxy.sweep import AFTER, Sweep
from tests.looped import in_loop
from tests.tproxy.podlike import API


class Clock:
    """Goes when it is told to, and is the presence that counts looks."""

    def __init__(self):
        self.now = 100.0
        self.looks = []
        self.sweep = Sweep(lambda: self.now)

    async def forget_ended(self, destinations):
        """Count."""
        self.looks.append((self.now, destinations))

    async def pass_by(self, seconds):
        """Let time go by, and converge."""
        self.now += seconds
        await self.sweep.carry_out(self, [API])


@in_loop
async def test_it_is_looked_at_once_and_twice_more():
    """However often the pod is seen to in between and after."""
    clock = Clock()
    await clock.pass_by(0)
    assert clock.looks == []
    assert clock.sweep.again is None
    clock.sweep.begin()
    assert clock.sweep.again == 0
    await clock.pass_by(0.25)
    assert clock.sweep.again == AFTER[1] - 0.25
    for seconds in (0.25, 0.5, 1, 5):
        await clock.pass_by(seconds)
    assert clock.looks == [(100.25, [API]), (101.0, [API]), (102.0, [API])]
    assert clock.sweep.again is None


@in_loop
async def test_a_pod_that_was_left_is_not_looked_at():
    """Nor is that made up for."""
    clock = Clock()
    clock.sweep.begin()
    await clock.sweep.carry_out(None, [API])
    await clock.pass_by(0)
    assert clock.looks == []
