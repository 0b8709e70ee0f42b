"""A cluster in memory: objects by path, refused as an API server refuses."""

import copy
from queue import SimpleQueue

from apisnoop.errors import RefusedError


class MemoryCluster:
    """What the webhook asks of an API server, without one."""

    def __init__(self):
        self.objects = {}
        self.version = 0
        self.reads = 0
        self.watches = {}
        """By path, what is yet to be told of an object: a queue of events, None as its end."""

    def put(self, path, thing):
        """Have an object at a path."""
        self.version += 1
        thing = copy.deepcopy(thing)
        thing.setdefault("metadata", {})["resourceVersion"] = str(self.version)
        self.objects[path] = thing

    def get(self, path, **_query):
        self.reads += 1
        if path not in self.objects:
            raise RefusedError(f"read {path}", 404, "not found")
        return copy.deepcopy(self.objects[path])

    def create(self, path, thing):
        where = f"{path}/{thing['metadata']['name']}"
        if where in self.objects:
            raise RefusedError(f"create in {path}", 409, "already exists")
        self.put(where, thing)
        return copy.deepcopy(self.objects[where])

    def replace(self, path, thing):
        if self.objects[path]["metadata"]["resourceVersion"] != thing["metadata"].get("resourceVersion"):
            raise RefusedError(f"update {path}", 409, "has changed")
        self.put(path, thing)
        return copy.deepcopy(self.objects[path])

    def watch(self, path, name, _seconds):
        told = self.watches.setdefault(f"{path}/{name}", SimpleQueue())
        yield from iter(told.get, None)
