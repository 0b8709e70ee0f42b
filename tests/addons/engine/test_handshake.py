"""What a client gets when its TLS handshake has ended."""

import asyncio
import socket
import ssl

from tests.addons.engine.rig import HOST, rigged
from tests.looped import in_loop


@in_loop
async def test_session_tickets_come_before_anything_is_asked(tmp_path):
    """As from any server. The kernel of a client that has not set TCP_NODELAY holds its request until it is told that
    its last message has arrived; alone that takes 40 ms."""
    async with rigged(tmp_path) as rig:
        loop = asyncio.get_running_loop()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = rig.client_context().wrap_bio(incoming, outgoing, server_hostname=HOST)
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
            await loop.sock_sendall(plain, outgoing.read())
            assert tls.version() == "TLSv1.3"
            assert await loop.sock_recv(plain, 2**16)
