"""From a pod to the Deployment above its ReplicaSet, also where the API server does not answer at once."""

import asyncio
import json
from types import SimpleNamespace

import aiohttp
import msgspec
import pytest

from apisnoop.node.wanted import OwnerReference
from apisnoop_tproxy import owners
from apisnoop_tproxy.api import RefusedError
from apisnoop_tproxy.cluster import Cluster
from apisnoop_tproxy.owners import ReplicaSets
from apisnoop_tproxy.pod_facts import Pod
from tests.looped import in_loop

PATH = "/apis/apps/v1/namespaces/shop/replicasets/web-1"


def metadata(name, above=("", "")):
    """Make the metadata of an object of a namespace, with the kind and name of who is above it."""
    kind, owner = above
    owners = [{"apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": f"uid-{owner}", "controller": True}]
    return {"name": name, "namespace": "shop", "uid": f"uid-{name}", "ownerReferences": owners if kind else []}


class Api:
    """Answers with what it is given, in order; the last answer again and again."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.news = asyncio.Event()

    async def get(self, path, **_):
        """Answer."""
        self.asked.append(path)
        self.news.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return json.dumps({"metadata": answer}).encode()


FOUND = metadata("web-1", ("Deployment", "web"))
OF_DEPLOYMENT = OwnerReference("apps/v1", "ReplicaSet", "web-1", "uid-web-1", controller=True)


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Let nobody wait."""
    monkeypatch.setattr(owners, "_FIRST_PAUSE", 0.001)


@in_loop
async def test_a_lookup_that_fails_is_tried_again():
    """A server that is gone, refuses or answers nonsense is asked again until it tells what is above."""
    news: asyncio.Queue[str] = asyncio.Queue()
    refused, lost = RefusedError(503, PATH), aiohttp.ClientConnectionError("gone")
    api = Api(refused, lost, TimeoutError(), {"name": 7}, FOUND)
    sets = ReplicaSets(api, news.put_nowait)
    async with asyncio.TaskGroup() as tasks:
        sets.need("shop", OF_DEPLOYMENT, tasks)
        sets.need("shop", OF_DEPLOYMENT, tasks)
        assert sets.get("uid-web-1") is None
        assert await news.get() == "uid-web-1"
    assert sets.get("uid-web-1").above.name == "web"
    assert api.asked == [PATH] * 5


@in_loop
async def test_one_that_is_gone_is_not_asked_for_again():
    """One that was deleted, or made anew under its name, says nothing of the pods of the old one."""
    for answer in (RefusedError(404, PATH), {**FOUND, "uid": "another"}):
        api = Api(answer)
        sets = ReplicaSets(api, pytest.fail)
        async with asyncio.TaskGroup() as tasks:
            sets.need("shop", OF_DEPLOYMENT, tasks)
        assert (sets.get("uid-web-1"), api.asked) == (None, [PATH])


@in_loop
async def test_one_that_is_needed_no_more_is_forgotten():
    """What is known of it goes, and so does the search for it; needed again, it is asked for again."""
    news: asyncio.Queue[str] = asyncio.Queue()
    api = Api(FOUND)
    sets = ReplicaSets(api, news.put_nowait)
    async with asyncio.TaskGroup() as tasks:
        sets.need("shop", OF_DEPLOYMENT, tasks)
        await news.get()
        sets.keep({"uid-web-1"})
        assert sets.get("uid-web-1") is not None
        sets.keep(set())
        assert sets.get("uid-web-1") is None
        api.answers = [RefusedError(503, PATH)]
        api.news.clear()
        sets.need("shop", OF_DEPLOYMENT, tasks)
        await api.news.wait()
        sets.keep(set())  # else the group would wait for ever
    assert sets.get("uid-web-1") is None


@in_loop
async def test_a_pod_is_of_the_deployment_and_takes_its_replica_set_with_it():
    """The Deployment's word counts as soon as it is known, also after a failure; nothing is left when the pod goes."""
    told = {}
    node = SimpleNamespace(
        update=lambda facts, wanted, workload="": told.update({facts.uid: (wanted.yes, workload)}), remove=told.pop
    )
    cluster = Cluster(Api(RefusedError(500, PATH), FOUND), node, "node1")
    found = asyncio.Event()
    sets = cluster._replica_sets
    sets._found = lambda uid, tell=sets._found: (tell(uid), found.set())
    deployment = {**metadata("web"), "annotations": {"apisnoop": "true"}}
    cluster._owners["Deployment"].listed([msgspec.convert({"metadata": deployment}, owners.Thing)])
    async with asyncio.TaskGroup() as cluster._tasks:
        pod = msgspec.convert({"metadata": metadata("web-1-x", ("ReplicaSet", "web-1"))}, Pod)
        cluster._pods.listed([pod])
        assert told == {"uid-web-1-x": (False, "replicaset/web-1")}
        await found.wait()
        assert told == {"uid-web-1-x": (True, "deployment/web")}
        cluster._pods.deleted(pod)
    assert (told, sets._known, sets._looking) == ({}, {}, {})
