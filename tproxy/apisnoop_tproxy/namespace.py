"""Doing something in another network namespace, and the sockets that are opened there.

The thread that enters a namespace is made for it and ends with it: none ever has to come back, so none can fail to.
Descriptors opened there stay in that namespace wherever they are used or passed.
"""

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

MARK = 0x61706973
"""Of our own connections (SO_MARK), which the rule leaves alone: `apis`."""
_BACKLOG = 1024


def in_namespace[Result](namespace: int, work: Callable[[], Result]) -> Result:
    """Run `work` in the network namespace of an open descriptor (/proc/PID/ns/net), and wait for its result.

    Raises what `work` raises, and OSError where the namespace cannot be entered. Needs CAP_SYS_ADMIN.
    """
    results: list[Result] = []
    failures: list[BaseException] = []

    def enter() -> None:
        try:
            os.setns(namespace, os.CLONE_NEWNET)
            results.append(work())
        except BaseException as error:  # handed to the caller, as if there were no thread
            failures.append(error)

    thread = threading.Thread(target=enter, name="in-namespace")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def open_listeners() -> dict[socket.AddressFamily, socket.socket]:
    """Open listening sockets on free loopback ports: IPv4, and IPv6 where the namespace has it."""
    found = {socket.AF_INET: listen("127.0.0.1", 0)}
    with suppress(OSError):  # EAFNOSUPPORT or EADDRNOTAVAIL: this pod has no IPv6
        found[socket.AF_INET6] = listen("::1", 0)
    return found


def open_upstream(family: socket.AddressFamily) -> socket.socket:
    """Open a socket that the rule leaves alone, to be connected by whoever gets it. Needs CAP_NET_ADMIN."""
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
    except OSError:
        sock.close()
        raise
    return sock


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket at an IP address. Raises OSError, where there is no such address or it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
