"""A worker of a node's proxy, as a program: the real engine, one of several that accept on the same sockets.

Says each call and the end of each recording in a line. Arguments: the agent's socket, a folder with `ca.pem`, `tls.crt`
and `tls.key`, its number, and how many workers there are.
"""

import asyncio
import sys
from pathlib import Path

import msgspec

from apisnoop.operations.source import load_catalogue
from apisnoop_addons.engine.limits import Limits
from apisnoop_addons.engine.proxy import Proxy
from apisnoop_addons.engine.upstream import KeyPair, Upstream
from apisnoop_addons.identify import Identify
from apisnoop_addons.node.link import AgentLink
from apisnoop_addons.node.pods import Pods
from apisnoop_addons.record import Record
from apisnoop_addons.stream import Stream

NAME = "kubernetes.default.svc"


class Said(msgspec.Struct):
    """One line."""

    call: str = ""
    """The path of a call."""
    container: str = ""
    began: str = ""
    """The pod whose recording began."""
    lapsed: str = ""
    """Why one has ended."""


def say(said):
    """Say it at once."""
    print(msgspec.json.encode(said).decode(), flush=True)


class Records:
    """What is kept of pods: nothing but what is said."""

    def begin(self, caller):
        say(Said(began=caller.pod))

    def confirm(self):
        pass

    def end(self, _caller, reason, _at=None):
        say(Said(lapsed=reason))

    def unseen(self, _caller, reason):
        say(Said(lapsed=reason))


async def run(path, folder, worker, workers):
    """Carry connections until killed."""
    record = Record(load_catalogue(), lambda call: say(Said(call=call.path, container=call.caller.container)))
    proxy, link = Proxy(Stream(), Identify(), record), AgentLink(path, worker, workers)
    upstream = Upstream(host="", port=0, server_name=NAME, ca_pem=(folder / "ca.pem").read_bytes())
    shown = KeyPair((folder / "tls.crt").read_bytes(), (folder / "tls.key").read_bytes())
    pods = Pods(proxy, link, Records(), upstream, lambda: shown, Limits())
    await proxy.start()
    await asyncio.gather(link.run(pods), pods.run())


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
