"""Whether a pod may be intercepted, and for how long that holds."""

import msgspec
import pytest

from apisnoop.node.wanted import Marks, Wanted
from apisnoop_tproxy.permission import NO_BLOCK, Block, lasts_until, refusal_of
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.pod_state import Cause, Code

POD = PodFacts(uid="u", namespace="shop", name="web", marks=Marks("pod web"))
YES, NO = Wanted(True, "apisnoop=true on pod web"), Wanted(False, "nothing asks for it")
UNFIT = Cause(Code.HOST_NETWORK, "it uses the node's network")
OVER = Block(200.0, Cause(Code.OVER_LIMIT, "it took too much"))
FOR_A_WHILE = msgspec.structs.replace(YES, until=150.0)


@pytest.mark.parametrize(
    ("pod", "wanted", "block", "why"),
    [
        (POD, YES, NO_BLOCK, None),
        (POD, FOR_A_WHILE, NO_BLOCK, None),
        (POD, NO, OVER, "nothing asks for it"),
        (msgspec.structs.replace(POD, unfit=UNFIT), YES, OVER, UNFIT.why),
        (POD, msgspec.structs.replace(YES, until=100.0), OVER, "its time is over"),
        (POD, YES, OVER, "it took too much"),
        (POD, YES, Block(100.0, OVER.cause), None),
    ],
)
def test_who_may_be_intercepted(pod, wanted, block, why):
    """One that is wanted, can be, whose time is not over, and that is not to be left alone for a while."""
    refusal = refusal_of(pod, wanted, block, 100.0)
    assert (refusal and refusal.why) == why


@pytest.mark.parametrize(
    ("wanted", "block", "moment"),
    [
        (YES, NO_BLOCK, None),
        (FOR_A_WHILE, NO_BLOCK, 150.0),
        (FOR_A_WHILE, OVER, 150.0),
        (YES, OVER, 200.0),
        (msgspec.structs.replace(YES, until=100.0), NO_BLOCK, None),
        (NO, OVER, None),
    ],
)
def test_how_long_that_holds(wanted, block, moment):
    """Until its time is over, or the time for which it is left alone; what is past changes nothing any more."""
    assert lasts_until(wanted, block, 100.0) == moment
