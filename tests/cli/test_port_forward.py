"""GET through a port-forward: what is said when it does not come about. The rest is in the tests of status and pull."""

import socket
import threading

import pytest
from kubernetes.client import Configuration

from apisnoop.cli.cluster_objects import open_api
from apisnoop.cli.port_forward import ForwardedPort, ForwardError, PodAddress, http_get


def ask(configuration, pod="nobody"):
    """Ask a pod that is not there."""
    with http_get(PodAddress(configuration, "default", pod, 15020), "/status", patience=5):
        pytest.fail("it answered")


@pytest.mark.cluster
def test_the_api_servers_refusal_is_told_in_its_own_words(api_server):
    """A pod that is not there, with verified TLS and the credentials of the kubeconfig."""
    with pytest.raises(ForwardError, match='pods "nobody" not found'):
        ask(open_api(api_server.kubeconfig, None).configuration)


@pytest.mark.cluster
def test_a_server_that_cannot_be_verified_is_told_nothing(api_server):
    """The token would be the first thing it is sent."""
    configuration = open_api(api_server.kubeconfig, None).configuration
    configuration.ssl_ca_cert = None
    with pytest.raises(ForwardError, match="certificate"):
        ask(configuration)


@pytest.mark.cluster
def test_nobody_listening_is_told_in_the_systems_words(api_server):
    """In one line, without classes and numbers."""
    configuration = open_api(api_server.kubeconfig, None).configuration
    configuration.host = "https://127.0.0.1:1"
    with pytest.raises(ForwardError, match=r"^connection refused$|^Connection refused$"):
        ask(configuration)


@pytest.fixture
def redirecting():
    """An API server that sends everybody on to another server: both addresses, and whom the other was asked by."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as other:
        first.settimeout(10)
        other.setblocking(False)

        def redirect():
            taken, _ = first.accept()
            with taken:
                taken.recv(1 << 16)
                target = f"ws://127.0.0.1:{other.getsockname()[1]}/"
                taken.sendall(f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())

        thread = threading.Thread(target=redirect)
        thread.start()
        yield first, other
        thread.join()


def test_a_redirect_is_not_followed(redirecting):
    """The token is meant for the API server, not for whoever it leads to."""
    first, other = redirecting
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{first.getsockname()[1]}"
    configuration.api_key = {"authorization": "Bearer secret"}
    with pytest.raises(ForwardError, match="Redirect"):
        ask(configuration)
    with pytest.raises(BlockingIOError):
        other.accept()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("https://10.0.0.1:6443", "wss://10.0.0.1:6443/api/v1/namespaces/a/pods/b/portforward?ports=1"),
        ("http://x/k8s/", "ws://x/k8s/api/v1/namespaces/a/pods/b/portforward?ports=1"),
    ],
)
def test_the_way_is_below_the_servers_own_path(host, url):
    """Proxies in front of API servers have one, Rancher's for instance."""

    class Configuration:
        pass

    configuration = Configuration()
    configuration.host = host
    assert PodAddress(configuration, "a", "b", 1).url == url


class Frames:
    """A connection that brings the frames which a test gives."""

    def __init__(self, *frames):
        self.frames = list(frames)
        self.sent = []

    def recv_data_frame(self, _):
        """Give the next."""
        opcode, data = self.frames.pop(0)
        return opcode, type("Frame", (), {"data": data})()

    def send_binary(self, data):
        """Take what is sent."""
        self.sent.append(data)


BINARY, CLOSE, PING = 2, 8, 9
BEGIN = [(BINARY, b"\x00\x98\x3a"), (BINARY, b"\x01\x98\x3a")]


def test_data_is_put_together_from_frames():
    """Each channel begins with its port's number; pings and empty frames are no data."""
    frames = [*BEGIN, (BINARY, b"\x00he"), (PING, b""), (BINARY, b"\x00"), (BINARY, b"\x00llo"), (CLOSE, b"")]
    assert ForwardedPort(Frames(*frames)).makefile("rb").read() == b"hello"


def test_what_comes_on_the_error_channel_is_raised():
    """Nobody listens in the pod: the kubelet says so there."""
    frames = [*BEGIN, (BINARY, b"\x01connection refused\nmore")]
    with pytest.raises(ConnectionError, match=r"^connection refused$"):
        ForwardedPort(Frames(*frames)).makefile("rb").read()


def test_what_is_sent_goes_to_the_first_channel_in_pieces(monkeypatch):
    """Servers limit frames."""
    monkeypatch.setattr("apisnoop.cli.port_forward.CHUNK", 3)
    frames = Frames()
    ForwardedPort(frames).sendall(b"abcde")
    assert frames.sent == [b"\x00abc", b"\x00de"]
