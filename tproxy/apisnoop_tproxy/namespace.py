"""Doing something in another network namespace, and the sockets that are opened there.

A namespace is entered by one thread, for some system calls, and left again; other threads notice nothing. Descriptors
opened there stay in that namespace wherever they are used or passed.
"""

import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress

from apisnoop.causes import cause_of

MARK = 0x61706973
"""Of our own connections (SO_MARK), which the rule leaves alone: `apis`."""
_BACKLOG = 1024

logger = logging.getLogger(__name__)


def in_namespace[Result](namespace: int, work: Callable[[], Result]) -> Result:
    """Run `work` in the network namespace of an open descriptor (/proc/PID/ns/net); return what it returns.

    Raises what `work` raises, and OSError where the namespace cannot be entered. Needs CAP_SYS_ADMIN. `work` starts no
    threads: they would stay there.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.setns(namespace, os.CLONE_NEWNET)
        try:
            return work()
        finally:
            _return(home)
    finally:
        os.close(home)


def _return(home: int) -> None:
    """Leave a pod's namespace for our own, or end the process: nothing else of ours must ever happen in a pod's.

    Leases run out by themselves, and whoever watches over the process starts it anew.
    """
    try:
        os.setns(home, os.CLONE_NEWNET)
    except OSError as error:
        logger.critical("cannot come back from a pod's network namespace: %s", cause_of(error))
        os._exit(1)  # at once: not even to tidy up


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
