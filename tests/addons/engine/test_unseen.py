"""Connections that cannot be served because of certificates: turned away before anything is sent on, and told of."""

import asyncio
import socket
import ssl

import pytest

from apisnoop_addons.engine.listener import CERTIFICATE_REJECTED, CLIENT_CERTIFICATE, HANDSHAKE_ABANDONED
from tests.addons.engine.calling import call, read_to_end, serve_one
from tests.addons.engine.rig import HOST, rigged
from tests.addons.run.pki import Authority
from tests.looped import in_loop

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class Unseen:
    """Notes what a listener is told."""

    def __init__(self):
        self.reasons = asyncio.Queue()
        self.fields = {"unseen": self.tell, "request_client_certificate": True}

    def tell(self, client, reason):
        assert client.listener is not None
        assert client.peername[0] == HOST
        self.reasons.put_nowait(reason)


def presenting(rig, folder, version):
    """Make the TLS settings of a client with a certificate."""
    issued = Authority("users").issue("ann")
    path = folder / "ann.pem"
    path.write_bytes(issued.certificate + issued.key)
    context = rig.client_context("http/1.1")
    context.load_cert_chain(path)
    context.maximum_version = version
    return context


@pytest.mark.parametrize("version", VERSIONS)
@in_loop
async def test_a_client_that_presents_a_certificate_is_turned_away(tmp_path, version):
    """Its connection is closed, nothing is opened upstream, and the listener is told whose it was."""
    unseen = Unseen()
    async with rigged(tmp_path, listener=unseen.fields) as rig:
        try:
            reader, writer = await asyncio.open_connection(HOST, rig.port, ssl=presenting(rig, tmp_path, version))
        except (ssl.SSLError, ConnectionError):
            assert version is ssl.TLSVersion.TLSv1_2  # its handshake is not even finished
        else:
            assert version is ssl.TLSVersion.TLSv1_3
            writer.write(b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await read_to_end(reader) == b""
            writer.close()
        assert await unseen.reasons.get() == CLIENT_CERTIFICATE
        assert unseen.reasons.empty()
        assert rig.accepted.empty()
        assert rig.calls == []


@in_loop
async def test_a_client_without_a_certificate_is_served(tmp_path):
    """It is asked for one, and need not have any."""
    unseen = Unseen()
    async with rigged(tmp_path, listener=unseen.fields) as rig:
        async with await rig.h2_client() as client, asyncio.TaskGroup() as both:
            both.create_task(serve_one(rig, close=True))
            await call(client)
        await rig.recorded()
        assert unseen.reasons.empty()


@in_loop
async def test_certificates_are_welcome_where_nobody_asks_to_be_told(tmp_path):
    """On loopback the certificate can be presented upstream, so it is no reason to turn anybody away."""
    async with rigged(tmp_path, listener={"request_client_certificate": True}, answer=answer_once) as rig:
        context = presenting(rig, tmp_path, ssl.TLSVersion.TLSv1_3)
        reader, writer = await asyncio.open_connection(HOST, rig.port, ssl=context)
        writer.write(b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()


async def answer_once(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("version", VERSIONS)
@in_loop
async def test_a_client_that_rejects_our_certificate_is_told_of(tmp_path, version):
    """It trusts somebody else, so it cannot be served; nothing is opened upstream."""
    unseen = Unseen()
    async with rigged(tmp_path, listener=unseen.fields) as rig:
        context = ssl.create_default_context(cadata=Authority("other").pem.decode())
        context.maximum_version = version
        await asyncio.to_thread(reject, context, rig.port)
        assert await unseen.reasons.get() == CERTIFICATE_REJECTED
        assert rig.accepted.empty()


def reject(context, port):
    """Refuse a server's certificate, and say so, which asyncio's TLS does not."""
    with socket.create_connection((HOST, port)) as plain, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(plain, server_hostname=HOST)


@in_loop
async def test_a_client_that_leaves_in_the_middle_of_a_handshake_is_told_of_as_such(tmp_path):
    """It may not accept our certificate, or may only have been in a hurry."""
    unseen = Unseen()
    async with rigged(tmp_path, listener=unseen.fields) as rig:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = rig.client_context().wrap_bio(incoming, outgoing, server_hostname=HOST)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        reader, writer = await asyncio.open_connection(HOST, rig.port)
        writer.write(outgoing.read())
        await reader.read(1)
        writer.close()
        assert await unseen.reasons.get() == HANDSHAKE_ABANDONED


@in_loop
async def test_what_is_no_tls_is_not_told_of_and_not_quoted(tmp_path, caplog):
    """A request in plain text may hold a token, which must not get into a log in any form."""
    unseen = Unseen()
    with caplog.at_level(0):
        async with rigged(tmp_path, listener=unseen.fields) as rig:
            with socket.create_connection((HOST, rig.port)) as plain:
                plain.sendall(b"GET / HTTP/1.1\r\nAuthorization: Bearer planted\r\n\r\n")
                plain.setblocking(False)
                loop = asyncio.get_running_loop()
                assert await loop.sock_recv(plain, 100) == b""
            assert unseen.reasons.empty()
    assert "planted" not in caplog.text
    assert b"planted".hex() not in caplog.text
