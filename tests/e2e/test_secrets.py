"""Secrets that clients use are nowhere in what apisnoop keeps, writes, prints or shows; what may be kept is."""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from e2e.conftest import client_environment
from e2e.needles import found_in
from e2e.planting import MARKER, NAMES
from e2e.ways import APISNOOP, through
from e2e.workload import TESTS

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.conftest import Shop

pytestmark = pytest.mark.cluster

SPEC = "--spec=1.36"
REPORTS = (
    *(("coverage", SPEC, "--output", form) for form in ("table", "wide", "json", "csv", "markdown", "html", "junit")),
    *(("coverage", SPEC, "--output=wide", "--by", key) for key in ("workload", "serviceaccount", "client", "test")),
    *(("gaps", SPEC, "--output", form) for form in ("wide", "json", "csv", "markdown")),
    ("rbac", "--resource-names", "--defaults"),
)


@dataclass(frozen=True, slots=True)
class Planted:
    """The secrets by name, and everything in which they must not be by kind and name."""

    secrets: dict[str, str]
    files: dict[str, bytes]
    said: dict[str, bytes]
    reports: dict[str, bytes]
    pages: dict[str, bytes]
    """What the browser's view answers."""
    left: list[str]
    """Names of temporary files that the run left behind."""


@pytest.fixture(scope="module")
def planted(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Run the planting program once with every output switched on, and collect them all."""
    folder, temporary, out = (tmp_path_factory.mktemp(name) for name in ("planting", "temporary", "out"))
    values = {name: f"planted-{secrets.token_hex(12)}" for name in NAMES}
    plan = folder / "plan.json"
    names = {"pod": shop.pod, "namespace": shop.robot.namespace}
    programs = {"kubectl": shop.kubectl, "clients": str(shop.programs.clients)}
    plan.write_text(json.dumps({"secrets": values, **names, **programs}))
    environment = client_environment(shop.robot.kubeconfig, folder) | {
        "TMPDIR": str(temporary),
        "PYTHONPATH": str(TESTS),
    }
    (folder / "kubectl").mkdir()
    way = through(environment, out, "--ui", f"--report={out / 'report.txt'}")
    with way.start(sys.executable, "-m", "e2e.planting", str(plan)) as running:
        running.expect(b"\n")
        pages = fetch_all(running.stderr)
        running.send(b"\n")
        outcome = running.finish()
        assert outcome.status == 0, running.stderr.decode()
    issued = outcome.stdout.decode().strip()
    values |= {"bearer-token": shop.robot.token, "issued-token": issued}
    values |= {f"signature of {name}": values[name].rsplit(".", 1)[1] for name in ("bearer-token", "issued-token")}
    store = out / "apisnoop.db"
    reports = {" ".join(words): report(store, words) for words in REPORTS}
    with closing(sqlite3.connect(store)) as database:
        dump = "\n".join(database.iterdump()).encode()
    files = {path.name: path.read_bytes() for path in out.iterdir()}
    left = [path.name for path in temporary.iterdir()]
    return Planted(values, files | {"store as SQL": dump}, {"standard error": running.stderr}, reports, pages, left)


@pytest.mark.parametrize("kind", ["files", "said", "reports", "pages"])
def test_no_secret_is_in(kind, planted):
    """Raw or encoded, whole: not in the store, the calls, what is printed, any report, or the browser's view."""
    leaks = {
        (where, name): forms
        for where, content in getattr(planted, kind).items()
        for name, secret in planted.secrets.items()
        if (forms := found_in(content, secret))
    }
    assert leaks == {}


@pytest.mark.parametrize("where", ["apisnoop.db", "calls.jsonl", "store as SQL"])
def test_a_name_that_may_be_kept_is_found(where, planted):
    """The same search finds the name of an object, so it looks in the right places."""
    assert found_in(planted.files[where], MARKER)


def test_the_view_shows_the_calls_that_were_made(planted):
    """The browser's view is searched with something in it."""
    assert found_in(planted.pages["/flows"], MARKER)
    assert len(json.loads(planted.pages["/flows"])) > 20


def test_every_way_of_carrying_a_secret_was_seen(planted):
    """Exec, a WebSocket with the token in its protocols, Secrets, tokens, proxied requests and plain headers."""
    calls = [json.loads(line) for line in planted.files["calls.jsonl"].splitlines()]
    seen = {(call["verb"], call.get("resource"), call.get("subresource", "")) for call in calls}
    assert {("get", "pods", "exec"), ("create", "serviceaccounts", "token"), ("get", "services", "proxy")} <= seen
    assert {("create", "secrets", ""), ("patch", "secrets", ""), ("get", "pods", "log")} <= seen
    assert [call["path"] for call in calls if call.get("caller", {}).get("client") == "Python-urllib"] == [
        "/version"
    ] * 2
    assert [call.get("caller", {}).get("client", "") for call in calls if call.get("subresource") == "exec"].count(
        "kubectl"
    ) == 4
    assert sum(call.get("subresource") == "exec" and call["status"] == 101 for call in calls) == 5


def test_nothing_temporary_is_left(planted):
    """The kubeconfig with the token and whatever else the run needed is gone."""
    assert planted.left == []


def report(store: Path, words: tuple[str, ...]) -> bytes:
    command = [APISNOOP, *words, "--db", store]
    return subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout


def fetch_all(told: bytes) -> dict[str, bytes]:
    """Ask the browser's view for everything that it can say."""
    address = re.search(rb"(http://127\.0\.0\.1:\d+)/\?token=(\S+)", told)
    assert address is not None, told
    base, token = (part.decode() for part in address.groups())

    def fetch(path: str) -> bytes:
        request = urllib.request.Request(base + path, headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                content: bytes = answer.read()
        except urllib.error.HTTPError as refusal:  # mitmweb has a 500 for a body that is not there
            content = refusal.read()
        return content

    pages = {path: fetch(path) for path in ("/flows", "/flows/dump", "/events", "/state", "/options", "/commands")}
    for flow in json.loads(pages["/flows"]):
        for part in ("request", "response"):
            path = f"/flows/{flow['id']}/{part}/content.data"
            pages[path] = fetch(path)
    return pages
