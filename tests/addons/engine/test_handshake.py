"""What a client gets when its TLS handshake has ended."""

import asyncio
import socket
import ssl

import pytest

from tests.addons.engine.rig import HOST, rigged
from tests.looped import in_loop

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
@pytest.mark.parametrize("version", VERSIONS)
@in_loop
async def test_a_handshake_ends_before_anything_is_asked(tmp_path, version, protocol):
    """In TLS 1.2 the server has the last word; in 1.3 it sends session tickets then.

    They say as well that the client's last message has arrived. The kernel of a client that has not set TCP_NODELAY
    holds its request until it hears that, which alone comes 40 ms later.
    """
    async with rigged(tmp_path) as rig:
        loop = asyncio.get_running_loop()
        context, incoming, outgoing = rig.client_context(protocol), ssl.MemoryBIO(), ssl.MemoryBIO()
        context.maximum_version = version
        tls = context.wrap_bio(incoming, outgoing, server_hostname=HOST)
        with socket.create_connection((HOST, rig.port)) as plain:
            plain.setblocking(False)
            while True:
                try:
                    tls.do_handshake()
                except ssl.SSLWantReadError:
                    await loop.sock_sendall(plain, outgoing.read())
                    incoming.write(await loop.sock_recv(plain, 2**16))
                else:
                    break
            assert tls.selected_alpn_protocol() == protocol
            if version is ssl.TLSVersion.TLSv1_3:
                await loop.sock_sendall(plain, outgoing.read())
                assert await loop.sock_recv(plain, 2**16)
