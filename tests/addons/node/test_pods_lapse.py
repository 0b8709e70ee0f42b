"""Pods that are not recorded for a while although they should be: since when, and why."""

import asyncio
import time

import pytest

from apisnoop.node.messages import Enrolled, Renewed, Retire
from apisnoop_addons.node.link import ANSWER_SECONDS
from apisnoop_addons.node.pods import LEASES_RAN_OUT, SILENCE, STOOD_STILL
from tests.addons.node.played_node import ANSWER, enrolled
from tests.looped import eventually, in_loop


@in_loop
async def test_leases_that_run_out_are_a_gap(tmp_path):
    """When the agent stops renewing, recording has lapsed; when it renews again, it resumes."""
    async with enrolled(tmp_path) as one:
        one.agent.send(Renewed(time.time() + 0.05))
        await eventually(lambda: one.records.ended)
        assert one.records.ended == [("web-0", LEASES_RAN_OUT)]
        one.agent.send(Renewed(time.time() + 60))
        await eventually(lambda: len(one.records.began) == 2)


@in_loop
async def test_why_the_agent_leads_nothing_here_is_the_gaps_reason(tmp_path):
    """Who reads of a gap learns that the proxy was overloaded, not that a lease ended."""
    async with enrolled(tmp_path) as one:
        one.agent.send(Renewed(time.time(), "the proxy is overloaded"))
        await eventually(lambda: one.records.ended)
        assert one.records.ended == [("web-0", "the proxy is overloaded")]


@in_loop
async def test_a_gap_may_be_over_at_once(tmp_path):
    """What the agent says is missing is missing, though it leads connections here as before."""
    async with enrolled(tmp_path) as one:
        one.agent.send(Renewed(time.time(), "worker 1 of the proxy was lost"))
        one.agent.send(Renewed(time.time() + 60))
        await eventually(lambda: len(one.records.began) == 2)
    assert one.records.ended == [("web-0", "worker 1 of the proxy was lost")]


@in_loop
async def test_who_is_off_while_it_is_shed_has_a_gap_that_ends(tmp_path):
    """Once nobody wants the pod recorded, nothing is missing any more."""
    async with enrolled(tmp_path) as one:
        one.agent.send(Renewed(time.time(), "the proxy is overloaded"))
        await eventually(lambda: one.records.ended)
        one.agent.send(Retire(1))
        await eventually(lambda: len(one.records.ended) == 2)
    assert one.records.began == ["web-0", "web-0"]
    assert one.records.ended == [("web-0", "the proxy is overloaded"), ("web-0", "off")]


@in_loop
async def test_a_proxy_that_stood_still_says_since_when(tmp_path):
    """Nothing was recorded from its last beat on; it is again when the agent renews, not by what it said before."""
    async with enrolled(tmp_path, silence=SILENCE) as one:
        one.agent.send(Renewed(time.time() + 60))
        await eventually(lambda: one.records.confirmed)
        confirmed = one.records.confirmed
        time.sleep(SILENCE + 0.3)  # noqa: ASYNC251 - all of the process stands still, as when it is stopped
        one.agent.send(Renewed(time.time() - 0.1))
        await eventually(lambda: one.records.ended)
        assert one.records.ended[0][1] in {STOOD_STILL, LEASES_RAN_OUT}
        assert abs(one.records.ended_at[0] - confirmed) < SILENCE / 2
        assert one.records.began == ["web-0"]
        one.agent.send(Renewed(time.time() + 60))
        await eventually(lambda: len(one.records.began) == 2)


@in_loop
async def test_a_lease_that_ran_out_while_the_proxy_stood_still_was_over_before(tmp_path):
    """Whichever is noticed first, nothing was recorded from the last beat on."""
    async with enrolled(tmp_path, silence=SILENCE) as one:
        await eventually(lambda: one.records.confirmed)
        confirmed = one.records.confirmed
        one.pods.renewed(time.time() + SILENCE + 0.1)
        time.sleep(SILENCE + 0.3)  # noqa: ASYNC251 - all of the process stands still, as when it is stopped
        await eventually(lambda: one.records.ended)
        assert abs(one.records.ended_at[0] - confirmed) < SILENCE / 2


@in_loop
async def test_a_lost_agent_leaves_open_connections_alone(tmp_path):
    """They go on; recording has lapsed; the next agent enrols anew and the pod is recorded again."""
    async with enrolled(tmp_path) as one:
        reader, writer = await one.connect()
        await one.get(reader, writer)
        one.agent.close()
        await eventually(lambda: one.records.ended)
        assert await one.get(reader, writer) == ANSWER
        await one.accept()
        one.offer()
        assert await one.heard.get() == Enrolled(1)
        writer.close()
    assert one.records.began == ["web-0", "web-0"]
    assert one.records.ended[0][1].startswith("the node agent was lost")


@in_loop
async def test_connections_opened_in_advance_do_not_wait_for_a_frozen_agent(tmp_path):
    """What waits when its leases have run out is closed then, what is asked later at once: its client opens another."""
    async with enrolled(tmp_path) as one:
        opened = [await one.connect() for _ in range(3)]
        await eventually(lambda: one.asked == len(opened))
        one.frozen = True
        one.agent.send(Renewed(time.time() + 0.3))
        async with asyncio.timeout(ANSWER_SECONDS / 2):
            for connection in opened:
                with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                    await one.get(*connection)
        assert one.records.ended == [("web-0", LEASES_RAN_OUT)]
