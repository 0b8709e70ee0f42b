"""The webhook's server in a process of its own, with all that the program imports, for `benchmarks.webhook`.

Prints the port and the authority to trust as one JSON line, and serves until its standard input is closed.
"""

import asyncio
import gc
import json
import logging
import sys
from datetime import UTC, datetime

from tornado.testing import bind_unused_port

from apisnoop.node.wanted import Marks, Metadata
from apisnoop_webhook import command  # noqa: F401 - as heavy as the program is
from apisnoop_webhook.authority import tend
from apisnoop_webhook.reviewer import Reviewer
from apisnoop_webhook.server import load_pair, make_server, make_tls
from apisnoop_webhook.settings import Injection, Situation, Trust


class _AtHand:
    """A cluster that answers at once: what is measured is the webhook, not the API server that it may have to ask."""

    def owners(self, _pod: Metadata, _namespace: str) -> list[Marks]:
        return []

    def namespace(self, name: str) -> Metadata:
        return Metadata(name=name)

    def ensure_bundle(self, _namespace: str) -> None:
        """The bundle is there."""


async def _serve() -> None:
    kept, tls = tend(None, ("127.0.0.1",), datetime.now(UTC), ""), make_tls()
    load_pair(tls, kept.leaf.certificate, kept.leaf.key)
    reviewer = Reviewer(Injection(image="registry.example/apisnoop:1"), _AtHand())
    reviewer.situation = Situation(trust=Trust.CLUSTER, agents_ready=True)
    server = make_server(reviewer, lambda: True, tls)
    socket, port = bind_unused_port()
    server.add_socket(socket)
    gc.freeze()  # as the program does
    print(json.dumps({"port": port, "trusted": kept.trusted}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.stop()
    await server.close_all_connections()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    asyncio.run(_serve())
