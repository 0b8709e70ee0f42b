"""Somebody else's proxy before the server: what it says in pieces, and what it says in place of connecting."""

import base64

import pytest

from apisnoop_addons.engine.proxy_tunnel import LONGEST_HEAD
from tests.addons.engine.calling import serve_one
from tests.addons.engine.forwarding import forwarding
from tests.addons.engine.rig import HOST, rigged
from tests.looped import in_loop

LOGIN = "ann:hunter2"
SCHEMES = ["http", "socks5"]
REFUSALS = [
    (
        "http",
        "connect",
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        "refused the connection with status 407",
    ),
    (
        "http",
        "connect",
        b"HTTP/1.0 503 Away\r\nContent-Length: 4\r\n\r\nbody",
        "refused the connection with status 503",
    ),
    ("http", "connect", b"HTTP/1.1 301\r\nLocation: https://x/\r\n\r\n", "refused the connection with status 301"),
    ("http", "connect", b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "the proxy answers no HTTP"),
    ("http", "connect", b"HTTP/1.1 fine\r\n\r\n", "the proxy answers no HTTP"),
    ("http", "connect", b"\r\n\r\n", "the proxy answers no HTTP"),
    ("socks5", "greeting", b"\x05\xff", "the SOCKS proxy accepts none of our ways to log in"),
    ("socks5", "greeting", b"\x04\x00", "the SOCKS proxy accepts none of our ways to log in"),
    ("socks5", "login", b"\x01\x01", "the SOCKS proxy refused user and password"),
    ("socks5", "connect", b"\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00", "could not connect: not allowed by its rules"),
    ("socks5", "connect", b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00", "could not connect: connection refused"),
    ("socks5", "connect", b"\x05\x63\x00\x01\x00\x00\x00\x00\x00\x00", "could not connect: code 99"),
]


def through(proxy, **more):
    """Name the proxy as a kubeconfig or HTTPS_PROXY does."""
    return {"proxy_url": f"{proxy.scheme}://{LOGIN}@{HOST}:{proxy.port}", **more}


@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "pieces"])
@pytest.mark.parametrize("scheme", SCHEMES)
@in_loop
async def test_calls_pass_however_the_proxys_answers_arrive(tmp_path, scheme, pieces):
    """Also byte by byte; it is told the server's address, and who we are."""
    async with (
        forwarding(scheme, pieces=pieces) as proxy,
        rigged(tmp_path, upstream=through(proxy)) as rig,
        await rig.h2_client() as client,
    ):
        stream = client.request("GET", "/api/v1/pods")
        await serve_one(rig)
        assert await client.answer(stream) == (200, b"ok")
        assert proxy.asked == [(HOST, rig.upstream_port)]
        login = LOGIN.encode()
        assert (b"Basic " + base64.b64encode(login) if scheme == "http" else login) in proxy.said[0]


@pytest.mark.parametrize("scheme", SCHEMES)
@in_loop
async def test_the_proxy_resolves_the_servers_name(tmp_path, scheme):
    """Names of a company's network may be known to nobody but its proxy."""
    async with (
        forwarding(scheme) as proxy,
        rigged(tmp_path, upstream=through(proxy, host="localhost")) as rig,
        await rig.h2_client() as client,
    ):
        stream = client.request("GET", "/api/v1/pods")
        await serve_one(rig)
        assert await client.answer(stream) == (200, b"ok")
        assert proxy.asked == [("localhost", rig.upstream_port)]


@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "pieces"])
@pytest.mark.parametrize(("scheme", "to", "answer", "reason"), REFUSALS)
@in_loop
async def test_a_proxy_that_refuses_is_told_of(tmp_path, scheme, to, answer, reason, pieces):
    """Once, in words without the password; the client's connection ends as if the server could not be reached."""
    async with (
        forwarding(scheme, answers={to: answer}, pieces=pieces) as proxy,
        rigged(tmp_path, upstream=through(proxy)) as rig,
        await rig.h2_client() as client,
    ):
        client.request("GET", "/api/v1/pods")
        await client.closed.wait()
        [recorded] = await rig.recorded()
        assert (recorded.status, recorded.error) == (0, "upstream-error")
        [told] = rig.failures
        assert told.endswith(reason)
        assert "hunter2" not in told
        assert rig.accepted.empty()


@in_loop
async def test_an_answer_without_an_end_is_not_gathered_for_ever(tmp_path):
    """Whatever is at that port, it is no proxy."""
    async with (
        forwarding("http", answers={"connect": b"x" * (LONGEST_HEAD + 1)}) as proxy,
        rigged(tmp_path, upstream=through(proxy)) as rig,
        await rig.h2_client() as client,
    ):
        client.request("GET", "/api/v1/pods")
        await client.closed.wait()
        assert rig.failures == ["the proxy answers no HTTP"]


@pytest.mark.parametrize("scheme", SCHEMES)
@in_loop
async def test_a_client_is_told_why_where_failures_are_explained(tmp_path, scheme):
    """As in `apisnoop run`: an answer 503 with the reason, which kubectl prints."""
    answers = {"connect": b"HTTP/1.1 407 No\r\n\r\n"} if scheme == "http" else {"greeting": b"\x05\xff"}
    async with (
        forwarding(scheme, answers=answers) as proxy,
        rigged(tmp_path, upstream=through(proxy), listener={"explain_failures": True}) as rig,
        await rig.h2_client() as client,
    ):
        status, body = await client.fetch("GET", "/api/v1/pods")
        assert status == 503
        assert rig.failures[0].encode() in body


@in_loop
async def test_a_refusal_is_not_remembered(tmp_path):
    """The next call asks the proxy again, and passes once that lets it."""
    refusal = {"connect": b"HTTP/1.1 502 Bad Gateway\r\n\r\n"}
    async with (
        forwarding("http", answers=refusal) as proxy,
        rigged(tmp_path, upstream=through(proxy), listener={"explain_failures": True}) as rig,
        await rig.h2_client() as client,
    ):
        assert (await client.fetch("GET", "/api/v1/pods"))[0] == 503
        refusal.clear()
        stream = client.request("GET", "/api/v1/pods")
        await serve_one(rig)
        assert await client.answer(stream) == (200, b"ok")
