"""Lists as API servers really write them."""

import asyncio

import msgspec
import pytest

from apisnoop_tproxy.owners import Thing
from apisnoop_tproxy.pod_facts import Pod, read_pod
from apisnoop_tproxy.watch import Collection, _list


class Answering:
    """An API server with one answer."""

    def __init__(self, body):
        self._body = body

    async def get(self, *_, **__):
        return self._body


class Told:
    """Remembers what was listed."""

    def listed(self, objects):
        self.objects = objects


@pytest.mark.parametrize("items", [b"null", b"[]"])
def test_there_may_be_none(items):
    """A list of metadata alone has null in the place of no items."""
    told = Told()
    body = b'{"metadata":{"resourceVersion":"7"},"items":' + items + b"}"
    assert asyncio.run(_list(Answering(body), Collection("/apis/apps/v1/statefulsets", Thing), told)) == "7"
    assert told.objects == []


@pytest.mark.parametrize(
    ("state", "starting"),
    [(b'{"running":{}}', True), (b'{"terminated":{"exitCode":0}}', False), (b'{"waiting":{"reason":"x"}}', True)],
)
def test_a_containers_state_is_one_of_three_objects(state, starting):
    """The pod waits for us until the injected container has ended."""
    body = (
        b'{"metadata":{"annotations":{"apisnoop/injected":"1"}},"status":{"phase":"Running","initContainerStatuses":'
        b'[{"name":"apisnoop-wait","state":' + state + b"}]}}"
    )
    assert read_pod(msgspec.json.decode(body, type=Pod)).starting is starting
