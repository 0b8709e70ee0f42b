"""HTTP GET to a port of a pod's loopback, through the API server: what `kubectl port-forward` and curl would do.

The kubernetes client has a port-forward of its own, which copies through a thread and a pair of sockets and ends that
thread with a traceback when a node is lost. One port and one request need neither, so the frames are read here:
https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/#-strong-proxy-operations-pod-v1-core-strong-
"""

import http.client
import io
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import websocket
from kubernetes.stream.ws_client import websocket_proxycare

from apisnoop import __version__
from apisnoop.causes import cause_of
from apisnoop.cli.kubeconfig import authorization
from apisnoop.cluster_api import message_of
from apisnoop.errors import ApisnoopError

if TYPE_CHECKING:
    from collections.abc import Buffer

    from kubernetes.client import Configuration

PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = 0, 1
"""Channels of the first port; each begins with the port's number."""
CHUNK = 1 << 16
"""Bytes sent in a frame."""
IDLE = 30.0
"""Seconds for which an answer may pause unless it is said otherwise."""


class ForwardError(ApisnoopError):
    """A pod's port could not be asked; the message says why in a few words, without naming the pod."""


class PodAddress:
    """A port of a pod, and how to get there."""

    def __init__(self, configuration: "Configuration", namespace: str, pod: str, port: int) -> None:
        self.configuration = configuration
        self.namespace = namespace
        self.pod = pod
        self.port = port

    @property
    def url(self) -> str:
        """Where the API server forwards from."""
        server = urlsplit(self.configuration.host)
        path = f"{server.path.rstrip('/')}/api/v1/namespaces/{self.namespace}/pods/{self.pod}/portforward"
        scheme = "wss" if server.scheme == "https" else "ws"
        return f"{scheme}://{server.netloc}{path}?ports={self.port}"


@contextmanager
def http_get(
    address: PodAddress, path: str, *, patience: float, idle: float | None = IDLE
) -> Iterator[http.client.HTTPResponse]:
    """Ask for a path and give the answer, of which nothing but the head has been read.

    `patience` are the seconds that every single step may take, `idle` those for which the answer may pause (None: for
    ever, as long as the API server is there). Raises ForwardError,
    also for every status but 200; what ends an answer early is an OSError or http.client.HTTPException to who reads it.
    """
    try:
        stream = ForwardedPort(connect(address, patience))
    except (websocket.WebSocketException, OSError, ValueError) as error:
        raise ForwardError(_refusal(error)) from None
    connection = http.client.HTTPConnection("127.0.0.1", address.port)
    connection.sock = stream
    try:
        try:
            connection.request("GET", path, headers={"User-Agent": f"apisnoop/{__version__}"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise ForwardError(_first_line(answer.read(1000)) or f"it answers {answer.status}")
        except (http.client.HTTPException, OSError) as error:
            raise ForwardError(cause_of(error)) from None
        stream.wait_for(idle)
        yield answer
    finally:
        stream.end()


def connect(address: PodAddress, patience: float) -> websocket.WebSocket:
    """Open the way to a port. Raises WebSocketException, OSError."""
    configuration = address.configuration
    sent = {"User-Agent": f"apisnoop/{__version__}", **authorization(configuration)}
    connection = websocket.WebSocket(sslopt=_tls(configuration), skip_utf8_validation=True)
    connection.settimeout(patience)
    options = {
        "header": [f"{name}: {value}" for name, value in sent.items()],
        "subprotocols": [PROTOCOL],
        "timeout": patience,
        "suppress_origin": True,
        "redirect_limit": 0,  # whoever it leads to would be sent the token
    }
    if configuration.proxy or configuration.proxy_headers:
        options = websocket_proxycare(options, configuration, address.url, {})
    connection.connect(address.url, **options)  # type: ignore[no-untyped-call] # the library has no types for it
    return connection


def _tls(configuration: "Configuration") -> dict[str, object]:
    if not configuration.verify_ssl:
        return _own(configuration, {"cert_reqs": ssl.CERT_NONE, "check_hostname": False})
    options: dict[str, object] = {"cert_reqs": ssl.CERT_REQUIRED}
    if configuration.ssl_ca_cert:
        options["ca_certs"] = configuration.ssl_ca_cert
    if configuration.assert_hostname is not None:
        options["check_hostname"] = configuration.assert_hostname
    return _own(configuration, options)


def _own(configuration: "Configuration", options: dict[str, object]) -> dict[str, object]:
    known = {
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
    }
    return options | {key: value for key, value in known.items() if value}


class ForwardedPort:
    """The connection to a port as `http.client` takes it. Who has made it ends it."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection

    def sendall(self, data: "Buffer") -> None:
        """Send all of it. Raises OSError."""
        view = memoryview(data)
        try:
            for start in range(0, len(view), CHUNK):
                self._connection.send_binary(bytes([DATA]) + bytes(view[start : start + CHUNK]))
        except websocket.WebSocketException as error:
            raise ConnectionError(cause_of(error)) from None

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Give what comes from the port."""
        return io.BufferedReader(_Incoming(self._connection), buffer_size=1 << 18)

    def wait_for(self, seconds: float | None) -> None:
        """Wait so long for what comes from now on."""
        self._connection.settimeout(seconds)

    def close(self) -> None:
        """Do nothing: http.client closes as soon as no second request can follow, and reads on, as sockets let it."""

    def end(self) -> None:
        """End it without a word to the other side, which may have gone."""
        self._connection.shutdown()  # type: ignore[no-untyped-call] # see connect


class _Incoming(io.RawIOBase):
    """Bytes of the data channel; what comes on the error channel is raised."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection
        self._rest = memoryview(b"")
        self._begun: set[int] = set()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        while not self._rest:
            data = self._next()
            if data is None:
                return 0
            self._rest = memoryview(data)
        into = memoryview(buffer).cast("B")
        size = min(len(into), len(self._rest))
        into[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def _next(self) -> bytes | None:
        """Give what the next frame brings; None at the end."""
        try:
            opcode, frame = self._connection.recv_data_frame(True)
        except websocket.WebSocketConnectionClosedException:
            return None
        except websocket.WebSocketTimeoutException:
            raise TimeoutError("timed out") from None
        except websocket.WebSocketException as error:
            raise ConnectionError(cause_of(error)) from None
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return None
        data: bytes = frame.data
        if opcode != websocket.ABNF.OPCODE_BINARY or not data:
            return b""
        channel = data[0]
        if channel not in self._begun:
            self._begun.add(channel)
            return b""
        if channel == ERROR:
            raise ConnectionError(_first_line(data[1:]))
        return data[1:] if channel == DATA else b""


def _refusal(error: Exception) -> str:
    """Say why the API server does not forward, in its own words where there are some."""
    status = getattr(error, "status_code", None)
    if status is None:
        return cause_of(error)
    said = message_of(getattr(error, "resp_body", None) or b"")
    return said or f"the API server answers {status}"


def _first_line(text: bytes) -> str:
    return next(iter(text.decode("utf-8", "replace").strip().splitlines()), "")
