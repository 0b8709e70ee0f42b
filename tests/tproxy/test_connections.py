"""Whose a connection is, where looking for it takes time, and a pod has many."""

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from apisnoop.node.wanted import Marks
from apisnoop_tproxy import connections
from apisnoop_tproxy.cgroup_path import PodCgroup
from apisnoop_tproxy.connections import Connections
from apisnoop_tproxy.hierarchy import Hierarchy
from apisnoop_tproxy.pod_facts import PodFacts
from tests.looped import PATIENCE, eventually, in_loop

SOURCE, API = ("10.201.1.7", 40001), ("10.96.0.1", 443)


class Kernel:
    """Stands for what is looked at: groups have names, and a look goes on when it may."""

    def __init__(self):
        self.groups = {}
        self.holders = {}
        self.looks = []
        self.hanging = set()
        self.going_on = threading.Event()

    def of_group(self, group, _folder, pod_uid, *_):
        """Stand in for `container_of_group`."""
        self.looks.append(pod_uid)
        if pod_uid in self.hanging:
            self.going_on.wait()
        return self.groups.get(group, "")

    def of_inode(self, inode, *_):
        """Stand in for `container_of_inode`."""
        return self.holders.get(inode, "")


@pytest.fixture
def kernel(monkeypatch):
    """Give one in which every look ends in the end."""
    found = Kernel()
    monkeypatch.setattr(connections, "container_of_group", found.of_group)
    monkeypatch.setattr(connections, "container_of_inode", found.of_inode)
    monkeypatch.setattr(connections, "_LOOK_SECONDS", PATIENCE)
    monkeypatch.setattr(connections, "unified_hierarchy", lambda _: Hierarchy(Path("/c")))
    yield found
    found.going_on.set()


@pytest.fixture
def asked(kernel):
    """Give what answers for connections; it knows no processes."""
    assert kernel is not None
    return Connections(SimpleNamespace(containers=lambda _: {}))


def pod(uid):
    """Make a pod."""
    return PodFacts(uid=uid, namespace="shop", name=uid, marks=Marks(f"pod {uid}"))


def foothold(group, inode=1):
    """Make a foothold in whose namespace every connection was opened by this group and is held as this inode."""
    sock = SimpleNamespace(cgroup=group, inode=inode)
    return SimpleNamespace(diagnosis=SimpleNamespace(find=lambda *_: sock), group=PodCgroup("u", "", "/kubepods/podu"))


@in_loop
async def test_a_group_is_looked_for_once(asked, kernel):
    """As many connections as a container opens at once, and all later ones, take one look."""
    kernel.groups[7] = "app"
    names = await asyncio.gather(*(asked.container(pod("web"), foothold(7), SOURCE, API) for _ in range(20)))
    assert names == ["app"] * 20
    assert await asked.container(pod("web"), foothold(7), SOURCE, API) == "app"
    assert kernel.looks == ["web"]
    asked.forget("web")
    assert await asked.container(pod("web"), foothold(7), SOURCE, API) == "app"
    assert kernel.looks == ["web"] * 2


@in_loop
async def test_without_a_group_the_holder_tells(asked, kernel):
    """What processes hold is not remembered: the next connection of the same group may be another container's."""
    kernel.holders = {1: "app", 2: "sidecar"}
    assert await asked.container(pod("web"), foothold(0, 1), SOURCE, API) == "app"
    assert await asked.container(pod("web"), foothold(0, 2), SOURCE, API) == "sidecar"
    assert await asked.container(pod("web"), foothold(0, 0), SOURCE, API) == ""


@in_loop
async def test_a_pod_in_which_a_look_takes_long_delays_nobody(asked, kernel, monkeypatch):
    """Its own connections are of an unknown container after a while; those of others have theirs at once."""
    kernel.groups = {7: "app", 8: "web"}
    kernel.hanging.add("hostile")
    slow = [asyncio.create_task(asked.container(pod("hostile"), foothold(7), SOURCE, API)) for _ in range(3)]
    await eventually(lambda: kernel.looks)
    for number in range(20):
        assert await asked.container(pod(f"web-{number}"), foothold(8), SOURCE, API) == "web"
    assert not any(task.done() for task in slow)
    kernel.going_on.set()
    assert await asyncio.gather(*slow) == ["app"] * 3
    assert kernel.looks.count("hostile") == 1


@in_loop
async def test_a_look_that_does_not_end_is_given_up(asked, kernel, monkeypatch):
    """Nobody waits for longer than the proxy would, and no second thread is spent on it."""
    monkeypatch.setattr(connections, "_LOOK_SECONDS", 0.01)
    kernel.hanging.add("hostile")
    for _ in range(3):
        assert await asked.container(pod("hostile"), foothold(7), SOURCE, API) == ""
    await eventually(lambda: kernel.looks)
    assert kernel.looks == ["hostile"]


@in_loop
async def test_only_so_many_names_are_remembered(asked, kernel):
    """A pod whose containers are made anew for ever does not fill our memory."""
    kernel.groups = dict.fromkeys(range(2, 200), "app")
    for group in kernel.groups:
        assert await asked.container(pod("web"), foothold(group), SOURCE, API) == "app"
    assert list(asked._names["web"]) == list(kernel.groups)[-connections._MOST_GROUPS :]


@in_loop
async def test_a_connection_that_has_gone_is_nobodys(asked, kernel):
    """Neither a socket that is not there nor a namespace that has been left is an error."""
    gone = SimpleNamespace(diagnosis=SimpleNamespace(find=lambda *_: None))
    assert await asked.container(pod("web"), gone, SOURCE, API) == ""

    def refuse(*_):
        raise OSError

    left = SimpleNamespace(diagnosis=SimpleNamespace(find=refuse))
    assert await asked.container(pod("web"), left, SOURCE, API) == ""
    assert kernel.looks == []
