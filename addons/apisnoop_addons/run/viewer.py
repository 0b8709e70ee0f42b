"""The process behind `--ui`: mitmweb for looking only (`web`), fed with redacted copies of calls on its standard input.

It is a process of its own so that whoever gets into the web interface, which is made for changing and sending
requests, finds here no proxy, no key, no token and nothing to send: it has no proxy server, everything but reading
is refused, and the copies never held a credential. It ends when its input does, or when whoever fed it is gone.

Output: one line, the address to open, login included, or what went wrong.
"""

import asyncio
import signal
import sys

from mitmproxy.tools.web.webaddons import WebAuth
from tornado.netutil import bind_sockets

from apisnoop.causes import cause_of
from apisnoop_addons.bound import Bounds
from apisnoop_addons.web.source import take_all
from apisnoop_addons.web.viewer import Viewer

HOST = "127.0.0.1"


async def main(port: int) -> None:
    """Show calls until the input ends. Raises OSError where the port cannot be had."""
    sockets = bind_sockets(port, HOST)
    viewer = Viewer(WebAuth(), Bounds())  # type: ignore[no-untyped-call]
    viewer.listen(sockets)
    sys.stdout.write(f"{viewer.web_url}\n")
    sys.stdout.flush()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        await take_all(reader, viewer.take)
    finally:
        await viewer.close()


if __name__ == "__main__":
    # The run takes signals for its command in a way of its own, which processes inherit.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    try:
        asyncio.run(main(int(sys.argv[1])))
    except OSError as error:
        sys.stdout.write(f"{cause_of(error)}\n")
        sys.exit(1)
