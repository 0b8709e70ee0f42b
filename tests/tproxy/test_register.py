"""What the proxy's workers have said of enrolments."""

from apisnoop_tproxy.register import Changes, Register


def test_a_pod_is_accepted_when_every_worker_accepts():
    """One that has not said so may have none of its sockets yet."""
    register = Register()
    number = register.add("web", {0, 1})
    assert not register.accepts(number, 1)
    assert not register.accepts(number, 1)
    assert register.accepts(number, 0)


def test_an_enrolment_is_over_when_no_worker_carries_anything():
    """Until then its pod is known, about which workers may ask."""
    register = Register()
    number = register.add("web", {0, 1})
    assert not register.carries_nothing(number, 0)
    assert register.find(number) == "web"
    assert register.carries_nothing(number, 1)
    assert register.find(number) is None


def test_nothing_is_expected_of_a_worker_that_has_gone():
    """What only it had not said yet is said; what it alone had is over."""
    register = Register()
    alone = register.add("alone", {1})
    offered, taken, retired = (register.add(name, {0, 1}) for name in ("offered", "taken", "retired"))
    register.accepts(offered, 0)
    for worker in (0, 1):
        register.accepts(taken, worker)
    register.carries_nothing(retired, 0)
    assert register.forget(1) == Changes({offered: "offered"}, {alone: "alone", retired: "retired"})
    assert [register.find(number) for number in (alone, offered, taken, retired)] == [None, "offered", "taken", None]
    assert register.carries_nothing(taken, 0)


def test_a_worker_that_comes_later_has_no_say():
    """It was offered nothing of what there was before."""
    register = Register()
    number = register.add("web", {0})
    register.add("db", {0, 1})
    assert register.accepts(number, 0)
    register.forget(1)
    assert register.find(number) == "web"


def test_the_numbers_of_an_earlier_agent_mean_nothing():
    """A proxy that asks for a connection which an earlier agent led to it must not be given another pod's socket."""
    earlier = Register()
    numbers = {earlier.add(name, {0}) for name in "abc"}
    later = Register()
    assert numbers.isdisjoint({later.add(name, {0}) for name in "abc"})
