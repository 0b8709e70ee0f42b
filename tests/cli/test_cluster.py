"""Reading a live cluster's API, against a server that plays one and a real one."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from apisnoop.cli.cluster import ClusterReader, read_cluster_catalogue, read_cluster_contents, read_cluster_document
from apisnoop.cli.document_cache import DocumentCache
from apisnoop.errors import ApisnoopError, ExitCode, UsageError
from apisnoop.operations.document import Problem, parse_document
from cluster import ApiServer

PODS = {"/api/v1/pods": {"get": {"operationId": "listPods"}}}
WIDGETS = {"/apis/x.io/v1/widgets": {"get": {"operationId": "listWidgets"}}}


class Player(ThreadingHTTPServer):
    """A server whose answers are in a dictionary, and which remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {"/version": (200, {"gitVersion": "v1.35.1"})}
        self.asked: list[tuple[str, str]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    def document(self, path: str, paths: dict[str, Any], **head: Any) -> None:
        """Answer a path with an OpenAPI document."""
        self.answers[path] = (200, {"openapi": "3.0.0", "paths": paths, **head})

    def index(self, parts: dict[str, str]) -> None:
        """Answer /openapi/v3 with documents' names and URLs."""
        paths = {name: {"serverRelativeURL": url} for name, url in parts.items()}
        self.answers["/openapi/v3"] = (200, {"paths": paths})


class Handler(BaseHTTPRequestHandler):
    """Answers for a Player."""

    server: Player

    def do_GET(self) -> None:
        """Give what the dictionary has, else 404."""
        self.server.asked.append((self.path, self.headers.get("Authorization", "")))
        status, value = self.server.answers.get(self.path, (404, {}))
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def player() -> Iterator[Player]:
    """A running server."""
    with Player() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def kubeconfig(player: Player, tmp_path: Path) -> Path:
    """A kubeconfig for the server, with a token."""
    return write_kubeconfig(tmp_path / "kubeconfig", f"http://127.0.0.1:{player.server_port}")


@pytest.fixture
def cache(tmp_path: Path) -> DocumentCache:
    """An empty cache."""
    return DocumentCache(tmp_path / "cache")


def write_kubeconfig(path: Path, server: str) -> Path:
    """Write a kubeconfig with one context, `here`."""
    content = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "secret-token"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
    }
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_parts_of_openapi_v3_are_one_catalogue(player: Player, kubeconfig: Path, cache: DocumentCache) -> None:
    """Each group and version is read, with the user's token; the source says server and version."""
    player.index({"api/v1": "/openapi/v3/api/v1?hash=A", "apis/x.io/v1": "/openapi/v3/apis/x.io/v1?hash=B"})
    player.document("/openapi/v3/api/v1?hash=A", PODS)
    player.document("/openapi/v3/apis/x.io/v1?hash=B", WIDGETS)
    catalogue, problems = read_cluster_catalogue(kubeconfig, cache=cache)
    assert set(catalogue.operations) == {"listPods", "listWidgets"}
    assert catalogue.release == "1.35"
    assert catalogue.source == (
        f"Kubernetes v1.35.1, read from the cluster at http://127.0.0.1:{player.server_port} (OpenAPI 3.0.0)"
    )
    assert problems == ()
    assert {token for _, token in player.asked} == {"Bearer secret-token"}


def test_what_has_not_changed_is_not_read_again(player: Player, kubeconfig: Path, cache: DocumentCache) -> None:
    """The hash in the index says so; a document without a hash is read each time."""
    player.index({"api/v1": "/v1?hash=A", "apis/x.io/v1": "/x?hash=B", "version": "/no-hash"})
    player.document("/v1?hash=A", PODS)
    player.document("/x?hash=B", WIDGETS)
    player.document("/no-hash", {})
    first, _ = read_cluster_catalogue(kubeconfig, cache=cache)
    player.index({"api/v1": "/v1?hash=A", "apis/x.io/v1": "/x?hash=C", "version": "/no-hash"})
    player.document("/x?hash=C", {})
    player.asked.clear()
    second, _ = read_cluster_catalogue(kubeconfig, cache=cache)
    assert {path for path, _ in player.asked} == {"/version", "/openapi/v3", "/x?hash=C", "/no-hash"}
    assert set(first.operations) == {"listPods", "listWidgets"}
    assert set(second.operations) == {"listPods"}


@pytest.mark.parametrize("index", [None, {}], ids=["no v3", "empty v3"])
def test_a_server_without_v3_is_read_by_v2(
    player: Player, kubeconfig: Path, cache: DocumentCache, index: dict[str, str] | None
) -> None:
    """Old servers have one document for all."""
    if index is not None:
        player.index(index)
    player.answers["/openapi/v2"] = (200, {"swagger": "2.0", "paths": PODS})
    document, version = read_cluster_document(ClusterReader(kubeconfig), cache)
    assert ([operation.id for operation in document.operations], document.openapi) == (["listPods"], "2.0")
    assert version == "v1.35.1"


def test_an_aggregated_api_that_is_down_spoils_only_itself(
    player: Player, kubeconfig: Path, cache: DocumentCache
) -> None:
    """The rest is read, and what could not be is told; it is asked for again the next time."""
    player.index({"api/v1": "/v1?hash=A", "apis/down/v1": "/down?hash=B", "apis/odd/v1": "/odd?hash=C"})
    player.document("/v1?hash=A", PODS)
    player.answers["/down?hash=B"] = (503, {})
    player.answers["/odd?hash=C"] = (200, b"<html>")
    catalogue, problems = read_cluster_catalogue(kubeconfig, cache=cache)
    assert set(catalogue.operations) == {"listPods"}
    assert problems[0] == Problem("/apis/down/v1", "cannot be read: the server answered 503")
    assert problems[1].where == "/apis/odd/v1"
    player.document("/down?hash=B", WIDGETS)
    assert "listWidgets" in read_cluster_catalogue(kubeconfig, cache=cache)[0].operations


def test_contents_are_given_as_the_server_has_them(player: Player, kubeconfig: Path) -> None:
    """For checking: every document, uncached, and a problem for one that cannot be fetched."""
    player.index({"api/v1": "/v1?hash=A", "apis/down/v1": "/down?hash=B"})
    player.document("/v1?hash=A", PODS)
    player.answers["/down?hash=B"] = (503, {})
    contents = dict(read_cluster_contents(ClusterReader(kubeconfig)))
    assert contents["apis/down/v1"] == Problem("/apis/down/v1", "cannot be read: the server answered 503")
    assert isinstance(contents["api/v1"], bytes)
    player.answers["/openapi/v3"] = (404, {})
    player.answers["/openapi/v2"] = (200, b"v2")
    assert list(read_cluster_contents(ClusterReader(kubeconfig))) == [("openapi/v2", b"v2")]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"/version": (401, {})}, "cannot read the API of {host}: the server answered 401; see whether"),
        (
            {"/openapi/v3": (403, {})},
            "cannot read the API of {host}: the server answered 403; see whether",
        ),
        ({"/openapi/v3": (500, {})}, "cannot read the API of {host}: the server answered 500"),
        ({}, "cannot read the API of {host}: the server answered 404"),
        ({"/version": (200, b"<html>")}, "{host} does not answer like an API server: "),
        ({"/openapi/v3": (200, {"paths": 1})}, "{host} does not answer like an API server: "),
        ({"/openapi/v2": (200, b"<html>")}, "{host} does not answer like an API server: {host}/openapi/v2 is "),
    ],
)
def test_an_answer_that_cannot_be_used_is_told_in_one_line(
    player: Player, kubeconfig: Path, cache: DocumentCache, answers: dict[str, Any], message: str
) -> None:
    """With the server's address, and what to try where the user lacks rights."""
    player.answers.update(answers)
    with pytest.raises(ApisnoopError) as caught:
        read_cluster_catalogue(kubeconfig, cache=cache)
    assert str(caught.value).startswith(message.format(host=f"http://127.0.0.1:{player.server_port}"))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == ExitCode.UNAVAILABLE


def test_a_refused_index_is_told_when_checking(player: Player, kubeconfig: Path) -> None:
    """The same line as for reading."""
    player.answers["/openapi/v3"] = (403, {})
    with pytest.raises(ApisnoopError, match="the server answered 403; see whether"):
        list(read_cluster_contents(ClusterReader(kubeconfig)))


def test_a_kubeconfig_that_cannot_be_used_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not YAML, something else, or a folder."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    words = tmp_path / "words"
    words.write_text("words")
    broken = tmp_path / "broken"
    broken.write_text("a: [")
    empty = tmp_path / "empty"
    empty.write_text("")
    for path in (tmp_path, words, broken, empty):
        with pytest.raises(ApisnoopError) as caught:
            ClusterReader(path)
        assert str(caught.value).startswith(f"cannot use kubeconfig {path}: ")
        assert str(caught.value).endswith("; give another with --kubeconfig")
        assert "\n" not in str(caught.value)
        assert "Errno" not in str(caught.value)
        assert "Invalid kube-config" not in str(caught.value)


def test_a_kubeconfig_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named, or found nowhere: which files were looked for, and the option."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/one:{tmp_path}/two")
    told = "no kubeconfig: {} not found; name one with --kubeconfig FILE or KUBECONFIG"
    for named, where in ((tmp_path / "missing", f"{tmp_path}/missing"), (None, f"{tmp_path}/one, {tmp_path}/two")):
        with pytest.raises(ApisnoopError) as caught:
            ClusterReader(named)
        assert str(caught.value) == told.format(where)
        assert caught.value.exit_code == ExitCode.UNAVAILABLE


def test_a_context_that_is_not_there_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    """The line says which there are, as that of `apisnoop run` does."""
    kubeconfig = write_kubeconfig(tmp_path / "good", "http://127.0.0.1:1")
    with pytest.raises(UsageError) as caught:
        ClusterReader(kubeconfig, "there")
    assert str(caught.value) == f"no context 'there' in kubeconfig {kubeconfig}; it has: here"


def test_a_dead_server_is_told(tmp_path: Path) -> None:
    """With its address, the system's words and the next step."""
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", "http://127.0.0.1:1")
    with pytest.raises(ApisnoopError) as caught:
        read_cluster_catalogue(kubeconfig)
    assert str(caught.value) == (
        "cannot reach the API server http://127.0.0.1:1: Connection refused; is it running? "
        "check server and certificate-authority in the kubeconfig"
    )


def test_a_pod_uses_its_own_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a kubeconfig, and only in a pod."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.delenv("KUBERNETES_SERVICE_PORT", raising=False)
    with pytest.raises(
        ApisnoopError, match="the pod's own credentials: Service host/port is not set; give a --kubeconfig"
    ):
        ClusterReader()


CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.catalogue.example.com}
spec:
  group: catalogue.example.com
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget}
  versions:
  - name: v1beta1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


@pytest.mark.cluster
def test_a_custom_resource_of_a_real_cluster_is_an_operation(api_server: ApiServer, cache: DocumentCache) -> None:
    """What a shipped catalogue cannot know, the cluster says; v2 and v3 say the same."""
    api_server.kubectl("apply", "-f", "-", stdin=CRD)
    api_server.kubectl("wait", "crd/gadgets.catalogue.example.com", "--for=condition=Established", "--timeout=60s")
    reader = ClusterReader(api_server.kubeconfig)
    wait_until_described(reader, b"catalogue.example.com")
    catalogue, problems = read_cluster_catalogue(api_server.kubeconfig, cache=cache)
    match = catalogue.match("PATCH", "/apis/catalogue.example.com/v1beta1/namespaces/n/gadgets/g/status")
    assert match.operation is not None
    assert (match.operation.kind, match.operation.level, match.verb) == ("Gadget", "beta", "patch")
    assert (match.resource, match.subresource) == ("gadgets", "status")
    assert problems == ()
    old = parse_document(reader.get("/openapi/v2"), "v2")
    assert {operation.id: operation for operation in old.operations} == dict(catalogue.operations)
    api_server.kubectl("delete", "-f", "-", stdin=CRD)


@pytest.mark.cluster
def test_a_real_cluster_is_read_from_the_cache(api_server: ApiServer, cache: DocumentCache) -> None:
    """No document is fetched twice: the second time only version and index are, and what has changed since."""
    rounds: list[set[str]] = []
    for _ in range(2):
        reader = ClusterReader(api_server.kubeconfig)
        fetch = reader.get
        asked: list[str] = []
        reader.get = lambda path, fetch=fetch, asked=asked: (asked.append(path), fetch(path))[1]
        document, _ = read_cluster_document(reader, cache)
        assert len(document.operations) > 700
        # A custom resource that another test has just removed is listed for a while, under a hash it no longer has.
        rounds.append({path for path in asked if "example.com" not in path})
    assert len(rounds[0]) > 30
    assert rounds[0] & rounds[1] == {"/version", "/openapi/v3"}


@pytest.mark.cluster
def test_a_server_of_another_authority_is_not_believed(api_server: ApiServer, tmp_path: Path) -> None:
    """The line says that the certificate did not hold; no token has left by then."""
    content = yaml.safe_load(api_server.kubeconfig.read_text())
    other = api_server.client_certificate("other")
    content["clusters"][0]["cluster"] = {
        "server": api_server.apiserver_url,
        "certificate-authority": str(other.certificate),
    }
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(content))
    with pytest.raises(ApisnoopError) as caught:
        read_cluster_catalogue(kubeconfig)
    assert str(caught.value).startswith(f"cannot reach the API server {api_server.apiserver_url}: ")
    assert "its certificate cannot be verified: unable to get local issuer" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.cluster
def test_an_expired_certificate_is_told(api_server: ApiServer) -> None:
    """The server does not know the user then, and the line says what it answered."""
    expired = api_server.client_certificate("late", lifetime=timedelta(minutes=-1))
    with pytest.raises(ApisnoopError, match="the server answered 401; see whether your user may read it"):
        read_cluster_catalogue(expired.kubeconfig)


def wait_until_described(reader: ClusterReader, group: bytes) -> None:
    """Wait until both forms of the description have a group: the server writes them a little after the resource."""
    pause = threading.Event()
    for _ in range(300):
        if all(group in reader.get(path) for path in ("/openapi/v3", "/openapi/v2")):
            return
        pause.wait(0.1)
    raise TimeoutError(f"the server does not describe {group.decode()}")
