"""What comes of requests to a server that does not answer as an API server does; a real one is asked elsewhere."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from apisnoop.cluster_api import Api
from apisnoop.errors import ApisnoopError, RefusedError

PAGE = b"<html>sign in</html>"
POD = {"kind": "Pod", "metadata": {"name": "web"}}
DENIED = json.dumps({"kind": "Status", "message": 'pods "web" is\nforbidden'}).encode()


class Handler(BaseHTTPRequestHandler):
    """Gives the same answer to everything, and ends the connection."""

    def do_GET(self):
        """Give what the test says."""
        status, body = self.server.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    do_PATCH = do_POST = do_GET  # noqa: N815 - the library's names

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server():
    """A server with an answer for everything."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def api(server, tmp_path):
    """Give the way there."""
    config = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "x", "user": {}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    return Api(tmp_path / "kubeconfig", program="test", patience=30)


ASK = {
    "get": lambda api: api.get("/api/v1/pods"),
    "patch": lambda api: api.patch("/api/v1/pods", {}),
    "create": lambda api: api.create("/api/v1/pods", {}),
    "watch": lambda api: list(api.watch("/api/v1/pods", "web", 1)),
}


@pytest.mark.parametrize("body", [PAGE + b"\n", b'"text"\n', b"[]\n", b"\xff\n"])
@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_an_answer_that_is_no_object_names_server_and_path(server, api, ask, body):
    """Something in between may answer with a page of its own, and say that all is well."""
    server.answer = (200, body)
    with pytest.raises(
        ApisnoopError, match=r"^http://127.0.0.1:\d+ does not answer like an API server to /api/v1/pods: "
    ):
        ask(api)


def test_a_watch_gives_whole_events_and_leaves_out_what_broke_off(server, api):
    """An end in the middle of a line is the stream's end."""
    event = json.dumps({"type": "ADDED", "object": POD}).encode()
    server.answer = (200, event + b"\n\n" + event[:20])
    assert list(api.watch("/api/v1/pods", "web", 1)) == [("ADDED", POD)]


@pytest.mark.parametrize(
    ("body", "said"), [(DENIED, 'pods "web" is forbidden'), (PAGE, "403"), (b"[]", "403"), (b"", "403")]
)
def test_a_refusal_is_one_line_with_the_servers_words(server, api, body, said):
    """Where it has any; else with the status."""
    server.answer = (403, body)
    with pytest.raises(RefusedError) as raised:
        api.get("/api/v1/pods")
    assert raised.value.status == 403
    assert str(raised.value).startswith(f"the API server refuses to read /api/v1/pods: {said};")


def test_a_server_that_is_away_is_named_with_what_to_ask(server, api):
    """Nobody listens there any more."""
    server.shutdown()
    server.server_close()
    with pytest.raises(
        ApisnoopError, match=r"cannot reach the API server http://127.*: Connection refused; is it running"
    ):
        api.get("/api/v1/pods")
