"""The server, over real TLS."""

import asyncio
import json
import ssl
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.testing import bind_unused_port

from apisnoop.errors import ApisnoopError
from apisnoop.node.wanted import Marks, Metadata
from apisnoop_webhook.authority import Kept, tend
from apisnoop_webhook.reviewer import Reviewer
from apisnoop_webhook.server import LARGEST, MOST_OF_ONE, load_pair, make_server, make_tls
from apisnoop_webhook.settings import Trust
from webhook.reviews import INJECTION, READY, patch_in, pod, review_of

LABELLED = {"generateName": "web-", "ownerReferences": []}


class Lookup:
    """A cluster whose answers are given."""

    def __init__(self, owners=(), failure=None):
        self._owners, self._failure, self.bundles = list(owners), failure, []

    def owners(self, _pod, _namespace):
        if self._failure:
            raise self._failure
        return self._owners

    def namespace(self, _name):
        return Metadata()

    def ensure_bundle(self, namespace):
        if self._failure:
            raise self._failure
        self.bundles.append(namespace)


def made() -> Kept:
    """Make a certificate for loopback."""
    return tend(None, ("127.0.0.1",), datetime.now(UTC), "")


@asynccontextmanager
async def serving(lookup=None, situation=READY, kept=None, ready=True):
    """Serve on loopback; gives a function that asks, the server's side of TLS, and the port."""
    kept, tls = kept or made(), make_tls()
    load_pair(tls, kept.leaf.certificate, kept.leaf.key)
    reviewer = Reviewer(INJECTION, lookup or Lookup())
    reviewer.situation = situation
    server = make_server(reviewer, lambda: ready, tls)
    socket, port = bind_unused_port()
    server.add_socket(socket)
    client = AsyncHTTPClient(force_instance=True)

    async def ask(path, body=None, trusted=kept.trusted):
        given = ssl.create_default_context(cadata=trusted)
        method = "GET" if body is None else "POST"
        return await client.fetch(
            f"https://127.0.0.1:{port}{path}", method=method, body=body, ssl_options=given, raise_error=False
        )

    try:
        yield ask, tls, port
    finally:
        client.close()
        server.stop()
        await server.close_all_connections()


def response_of(answer):
    """Read the response out of an answer."""
    return json.loads(answer.body)["response"]


def test_a_review_is_answered_over_tls():
    """The pod's patch comes back under the review's own uid."""

    async def scenario():
        async with serving() as (ask, *_):
            answer = await ask("/pods", review_of(pod()))
            assert answer.code == 200
            assert response_of(answer)["uid"] == "u-1"
            assert patch_in(response_of(answer))

    asyncio.run(scenario())


def test_the_label_of_a_namespace_counts_unless_an_owner_says_no():
    """Owners are asked where the pod is silent."""

    async def scenario():
        silent = review_of(pod(metadata=LABELLED))
        async with serving() as (ask, *_):
            assert patch_in(response_of(await ask("/namespaces", silent)))
            assert not patch_in(response_of(await ask("/pods", silent)))
        async with serving(Lookup([Marks("deployment web", mark="false")])) as (ask, *_):
            assert not patch_in(response_of(await ask("/namespaces", silent)))

    asyncio.run(scenario())


def test_an_owner_that_says_yes_counts_where_the_api_server_asks_for_its_sake():
    """In mode init: a Deployment's annotation holds for the pods it makes from then on; others stay as they are."""

    async def scenario():
        silent = review_of(pod(metadata={"name": "web-1"}))
        for mark, wanted in (("true", True), ("", False)):
            async with serving(Lookup([Marks("replicaset web-1"), Marks("deployment web", mark=mark)])) as (ask, *_):
                assert bool(patch_in(response_of(await ask("/owners", silent)))) is wanted

    asyncio.run(scenario())


def test_a_cluster_that_fails_keeps_no_pod_from_being_created():
    """Owners that cannot be read count as silent; without its bundle, the pod is left as it is."""

    async def scenario():
        broken = Lookup(failure=ApisnoopError("no answer"))
        async with serving(broken) as (ask, *_):
            assert patch_in(response_of(await ask("/namespaces", review_of(pod(metadata=LABELLED)))))
        volume = {"name": "t", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}}
        own = replace(READY, trust=Trust.OWN)
        async with serving(broken, own) as (ask, *_):
            response = response_of(await ask("/pods", review_of(pod(volumes=[volume]))))
            assert response["allowed"]
            assert "could not be written" in response["warnings"][0]

    asyncio.run(scenario())


@pytest.mark.parametrize(("dry_run", "written"), [(True, []), (False, ["shop"])])
def test_only_a_real_review_writes_a_bundle(dry_run, written):
    """A dry run has no side effect, as the configuration promises."""

    async def scenario():
        lookup = Lookup()
        volume = {"name": "t", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}}
        async with serving(lookup, replace(READY, trust=Trust.OWN)) as (ask, *_):
            assert patch_in(response_of(await ask("/pods", review_of(pod(volumes=[volume]), dryRun=dry_run))))
        assert lookup.bundles == written

    asyncio.run(scenario())


@pytest.mark.parametrize("body", [b"", b"{}", b"[1", b'{"apiVersion": "admission.k8s.io/v1beta1"}'])
def test_what_is_no_review_is_refused(body):
    """The API server is told that it was not understood, and goes on without us."""

    async def scenario():
        async with serving() as (ask, *_):
            assert (await ask("/pods", body)).code == 400

    asyncio.run(scenario())


def test_a_body_that_is_too_large_is_not_read():
    """It is refused by what its header announces."""

    async def scenario():
        kept = made()
        async with serving(kept=kept) as (*_, port):
            trusting = ssl.create_default_context(cadata=kept.trusted)
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
            writer.write(f"POST /pods HTTP/1.1\r\nHost: x\r\nContent-Length: {LARGEST + 1}\r\n\r\n".encode())
            assert b" 400 " in await reader.readline()
            writer.close()
            await writer.wait_closed()

    asyncio.run(scenario())


def test_one_address_cannot_take_all_connections():
    """What it opens beyond its share is closed at once, others are served, and what it closes is free again."""

    async def scenario():
        kept = made()
        trusting = ssl.create_default_context(cadata=kept.trusted)
        async with serving(kept=kept) as (ask, _, port), AsyncExitStack() as opened:

            async def connect(**options):
                _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0), **options)
                opened.push_async_callback(_close, writer)
                return writer

            first, *_ = [await connect() for _ in range(MOST_OF_ONE)]
            assert not await _succeeds(connect(ssl=trusting))
            assert (await ask("/healthz")).code == 200  # from another address
            await _close(first)
            async with asyncio.timeout(60):
                while not await _succeeds(connect(ssl=trusting)):  # until the server has noticed
                    pass

    asyncio.run(scenario())


async def _succeeds(attempt):
    try:
        await attempt
    except OSError:
        return False
    return True


async def _close(writer):
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def test_the_probes_tell_alive_from_ready():
    """A replica without a certificate or a look at the cluster gets no reviews, and is not restarted for it."""

    async def scenario():
        async with serving(ready=False) as (ask, *_):
            assert (await ask("/healthz")).code == 200
            assert (await ask("/readyz")).code == 503
        async with serving() as (ask, *_):
            assert (await ask("/readyz")).code == 200

    asyncio.run(scenario())


def test_a_new_certificate_is_served_without_a_restart():
    """The next connection gets it, and one that trusts only the old authority fails."""

    async def scenario():
        old, new = made(), made()
        async with serving(kept=old) as (ask, tls, _):
            assert (await ask("/healthz")).code == 200
            load_pair(tls, new.leaf.certificate, new.leaf.key)
            assert (await ask("/healthz", trusted=new.trusted)).code == 200

    asyncio.run(scenario())


def test_a_pair_that_does_not_belong_together_leaves_the_old_one_in_place():
    """Half a change would serve nobody."""

    async def scenario():
        old, new = made(), made()
        async with serving(kept=old) as (ask, tls, _):
            with pytest.raises(ssl.SSLError):
                load_pair(tls, new.leaf.certificate, old.leaf.key)
            assert (await ask("/healthz")).code == 200

    asyncio.run(scenario())
