"""Where catalogues come from."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from apisnoop.errors import ApisnoopError, ExitCode, UsageError
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.source import load_catalogue, read_contents

PODS: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "Kubernetes", "version": "unversioned"},
    "paths": {"/api/v1/pods": {"get": {"operationId": "listPods"}}},
}


@pytest.fixture
def server() -> Iterator[str]:
    """URL of a server that has a document at /swagger.json, words at /words and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = json.dumps(PODS).encode()
            bodies = {"/swagger.json": document, "/release-1.31/swagger.json": document, "/words": b"words"}
            body = bodies.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


@pytest.fixture
def swagger(tmp_path: Path) -> Path:
    """A document that is named after its release."""
    path = tmp_path / "swagger-v1.31.json"
    path.write_text(json.dumps(PODS))
    return path


@pytest.mark.parametrize("spec", ["1.34", "v1.34", "v1.34.7"])
def test_a_release_is_taken_from_the_package(spec: str) -> None:
    """With or without a v and a patch number."""
    catalogue = load_catalogue(spec)
    assert catalogue.release == "1.34"
    assert catalogue.source.startswith("Kubernetes 1.34, shipped with apisnoop ")


@pytest.mark.parametrize(
    ("server_version", "release", "note"),
    [
        ("", "1.36", "the newest; the server's own release is not known"),
        ("v1.32.5", "1.32", "the server's own release"),
        ("v1.33.1+k3s1", "1.34", "the nearest to the server's v1.33.1+k3s1, which is not"),
        ("unknown", "1.36", "the newest; the server's own release is not known"),
    ],
)
def test_without_a_choice_the_servers_release_decides(server_version: str, release: str, note: str) -> None:
    """The nearest shipped one is taken and says so; with no server known it is the newest."""
    catalogue = load_catalogue(server_version=server_version)
    assert catalogue.release == release
    assert catalogue.source.endswith(f", {note}")


def test_a_file_is_a_catalogue(swagger: Path) -> None:
    """Its release is in its name, since Kubernetes' own documents do not say."""
    catalogue = load_catalogue(str(swagger))
    assert list(catalogue.operations) == ["listPods"]
    assert (catalogue.release, catalogue.source) == ("1.31", f"file {swagger}, Kubernetes 1.31")


def test_a_folder_is_one_catalogue(tmp_path: Path) -> None:
    """As api/openapi-spec/v3 has a document for each group and version."""
    for name in ("api__v1", "apis"):
        paths = {f"/{name}": {"get": {"operationId": name}}}
        (tmp_path / f"{name}_openapi.json").write_text(json.dumps({**PODS, "paths": paths}))
    assert set(load_catalogue(str(tmp_path)).operations) == {"api__v1", "apis"}


def test_a_url_is_a_catalogue(server: str) -> None:
    """Fetched each time; the source names it."""
    catalogue = load_catalogue(f"{server}/swagger.json")
    assert list(catalogue.operations) == ["listPods"]
    assert catalogue.source == f"URL {server}/swagger.json"
    assert load_catalogue(f"{server}/release-1.31/swagger.json").release == "1.31"


def test_the_cluster_is_read_by_who_can() -> None:
    """This package has no client; its caller gives one."""
    catalogue = Catalogue([], release="", source="cluster")
    assert load_catalogue("cluster", read_cluster=lambda: catalogue) is catalogue


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("1.99", "--spec 1.99: release 1.99 is not in this package; name one of 1.30, 1.32, 1.34, 1.36, a file"),
        ("", "--spec is empty; name one of 1.30, 1.32, 1.34, 1.36, a file"),
        ("cluster", "--spec cluster cannot be used here"),
    ],
)
def test_an_unknown_spec_is_a_mistake_of_the_user(spec: str, message: str) -> None:
    """The line says what there is instead."""
    with pytest.raises(UsageError) as caught:
        load_catalogue(spec)
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == ExitCode.USAGE


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path, server: str) -> None:
    """Files, folders and URLs that are no OpenAPI, are empty, or are not there."""
    words = tmp_path / "words.txt"
    words.write_text("words")
    nothing = tmp_path / "nothing.json"
    nothing.write_text(json.dumps({**PODS, "paths": {}}))
    empty = tmp_path / "empty"
    empty.mkdir()
    cases = {
        str(words): f"{words} is not an OpenAPI document: it holds no object",
        str(nothing): f"file {nothing} describes no operation that can be used",
        "nothing": "--spec nothing: there is no such file, and it is no release; name one of 1.30,",
        str(empty): f"folder {empty} holds no OpenAPI document",
        f"{server}/missing": f"cannot read {server}/missing: the server answered 404 Not Found",
        f"{server}/words": f"{server}/words is not an OpenAPI document",
        "http://127.0.0.1:1/": "cannot read http://127.0.0.1:1/: Connection refused; check the address, or name a file",
        "http://[": "cannot read http://[: it is no valid URL",
        "http://127.0.0.1:port/": "cannot read http://127.0.0.1:port/: it is no valid URL",
    }
    for spec, message in cases.items():
        with pytest.raises(ApisnoopError) as caught:
            load_catalogue(spec)
        assert str(caught.value).startswith(message)
        assert caught.value.exit_code == ExitCode.UNAVAILABLE
        assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's own words."""

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ApisnoopError, match=r"cannot read .*: Permission denied"):
        read_contents(str(tmp_path / "secret.json"))
