"""A client that leaves while its connection to the server is being opened leaves nothing behind."""

import asyncio

import pytest

from apisnoop_addons.engine.connect import connect_directly
from tests.addons.engine.rig import HOST, rigged
from tests.addons.engine.test_admission import POD, Admission, admitting
from tests.looped import in_loop

TURNS = range(6)
"""Of the loop, from when the socket is there until the layers are told of it, and some more."""


@pytest.fixture
def complaints():
    """What the loop was told of failed callbacks."""
    return []


@pytest.mark.parametrize("untouched", [True, False])
@in_loop
async def test_who_leaves_before_the_server_answers_is_forgotten(tmp_path, complaints, untouched):
    """Its place is free again, and the listener drained."""
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    asked, never, drained = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def connect(*_):
        asked.set()
        await never.wait()

    fields, _ = admitting(Admission(POD, untouched=untouched))
    more = {"connect": connect, "drained": lambda _: drained.set(), "certificate": None}
    async with rigged(tmp_path, listener={**fields, **more}) as rig:
        _, writer = await asyncio.open_connection(HOST, rig.port)
        writer.write(b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n")
        await asked.wait()
        writer.transport.abort()
        await rig.proxy.unlisten(rig.listener, cut=True)
        await drained.wait()
        assert rig.proxy.connections(rig.listener) == 0
    assert complaints == []


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("untouched", [True, False])
@in_loop
async def test_who_leaves_just_as_the_server_has_answered_is_forgotten(tmp_path, complaints, turns, untouched):
    """Whichever of the two is heard first."""
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    drained = asyncio.Event()

    async def leave():
        for _ in range(turns):
            await asyncio.sleep(0)
        await rig.proxy.unlisten(rig.listener, cut=True)

    async def connect(client, host, port):
        sock = await connect_directly(client, host, port)
        leaving.append(asyncio.create_task(leave()))
        return sock

    leaving = []
    fields, _ = admitting(Admission(POD, untouched=untouched))
    more = {"connect": connect, "drained": lambda _: drained.set(), "certificate": None}
    async with rigged(tmp_path, listener={**fields, **more}) as rig:
        _, writer = await asyncio.open_connection(HOST, rig.port)
        writer.write(b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n")
        await drained.wait()
        writer.close()
    assert complaints == []
