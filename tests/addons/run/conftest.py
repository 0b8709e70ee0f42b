"""A fake cluster, a kubeconfig for it, and a run of our client against it."""

import base64
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from apisnoop_addons.run.settings import Settings
from apisnoop_addons.run.start import start_run
from tests.addons.run import client
from tests.addons.run.fake_server import FakeServer, fake_server
from tests.addons.run.pki import Authority

APISNOOP = (sys.executable, "-c", "from apisnoop.cli.main import main; main()", "run")
CLIENT = (sys.executable, client.__file__)
type MakeKubeconfig = Callable[..., Path]


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep runs away from the developer's own kubeconfig, proxies and folders."""
    for name in ("KUBECONFIG", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "runtime").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def authority() -> Authority:
    """The authority of the fake cluster, for servers and clients."""
    return Authority("cluster")


@pytest.fixture
def server(tmp_path: Path, authority: Authority) -> Iterator[FakeServer]:
    """A fake API server that a client of the authority can log in to with a certificate."""
    with fake_server(tmp_path, authority.issue("server", hosts=("127.0.0.1", "kubernetes")), authority) as running:
        yield running


def write_kubeconfig(path: Path, cluster: dict[str, Any], user: dict[str, Any], **users: dict[str, Any]) -> Path:
    """Write a kubeconfig with a cluster, and a context for each user; `user` is the current one's."""
    everybody = {"user": user, **users}
    document = {
        "clusters": [{"name": "fake", "cluster": cluster}],
        "users": [{"name": name, "user": value} for name, value in everybody.items()],
        "contexts": [{"name": name, "context": {"cluster": "fake", "user": name}} for name in everybody],
        "current-context": "user",
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def kubeconfig(surroundings: None, tmp_path: Path, server: FakeServer, authority: Authority) -> MakeKubeconfig:
    """Make a kubeconfig for the fake server: of a user, further users, and changes to the cluster entry."""

    def make(user: dict[str, Any] | None = None, *, changes: dict[str, Any] | None = None, **users: Any) -> Path:
        cluster = {
            "server": f"https://127.0.0.1:{server.port}",
            "certificate-authority-data": base64.b64encode(authority.pem).decode(),
            **(changes or {}),
        }
        kept = {key: value for key, value in cluster.items() if value is not None}
        return write_kubeconfig(tmp_path / "kubeconfig", kept, user or {"token": "secret"}, **users)

    return make


@dataclass
class Ran:
    """What a run gave."""

    code: int
    out: str
    err: str
    calls: list[dict[str, Any]]


@pytest.fixture
def run(
    surroundings: None, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """Run a command (the client asking for namespaces, unless told otherwise) with the kubeconfig at hand."""

    def start(*command: str, **settings: Any) -> Ran:
        path = tmp_path / "calls.jsonl"
        chosen = {"kubeconfig": tmp_path / "kubeconfig", "calls": path, "db": tmp_path / "store.db", **settings}
        code = start_run(Settings(command=command or (*CLIENT, "/api/v1/namespaces"), **chosen))
        captured = capfd.readouterr()
        calls = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        assert not list((tmp_path / "runtime").iterdir()), "the run left its folder behind"
        return Ran(code, captured.out, captured.err, calls)

    return start
