"""Fixtures with a real Kubernetes; tests/conftest.py names this module in `pytest_plugins`.

The clusters last for the whole session, so tests share them: each works in a `namespace` of its own.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from . import binaries, project_images
from .apiserver import ApiServer
from .cluster import Cluster
from .existing import ExistingCluster
from .provision import provide_nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the chosen tests need before the first of them starts: minutes that belong to no test's time limit."""
    wanted = any(item.get_closest_marker("cluster") for item in session.items)
    if not wanted or session.config.option.collectonly or ExistingCluster.from_environment():
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        provide_nodes() if os.geteuid() == 0 else binaries.build(binaries.KUBERNETES)


@pytest.fixture(scope="session")
def api_server() -> Iterator[ApiServer | ExistingCluster]:
    """An API server with its controllers, without nodes."""
    yield from _existing_or(lambda: ApiServer.start(controllers=True))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster | ExistingCluster]:
    """A Kubernetes with one node."""
    yield from _existing_or(Cluster.start)


@pytest.fixture(scope="session")
def two_nodes() -> Iterator[Cluster | ExistingCluster]:
    """A Kubernetes with two nodes."""
    yield from _existing_or(lambda: Cluster.start(nodes=2))


@pytest.fixture(scope="session")
def apisnoop_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image `apisnoop:test`, built from the working tree, for `Cluster.load_image`."""
    if os.geteuid():
        pytest.skip("building an image needs root")
    return project_images.build(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def apisnoop_proxy_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image `apisnoop-proxy:test`, as `apisnoop_archive`."""
    if os.geteuid():
        pytest.skip("building an image needs root")
    return project_images.build(tmp_path_factory.mktemp("images"), "apisnoop-proxy")


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a new namespace in the cluster that the test uses; it is deleted afterwards."""
    server = _cluster_of(request)
    name = namespace_name(request.node.name)
    server.kubectl("create", "namespace", name)
    # A pod made before its service account is refused.
    server.kubectl("wait", "serviceaccount/default", "--for=create", "--timeout=60s", "--namespace", name)
    yield name
    server.kubectl("delete", "namespace", name, "--wait=false")


def namespace_name(test: str) -> str:
    """Make a namespace's name from a test's, never the same twice: at most 63 of a-z, 0-9 and "-"."""
    readable = re.sub(r"[^a-z0-9]+", "-", test.lower().removeprefix("test_"))[:48].strip("-")
    return f"t-{readable}-{secrets.token_hex(3)}"


def _existing_or[T: (ApiServer, Cluster)](start: Callable[[], T]) -> Iterator[T | ExistingCluster]:
    existing = ExistingCluster.from_environment()
    if existing:
        yield existing
        return
    with start() as started:
        yield started


def _cluster_of(request: pytest.FixtureRequest) -> ApiServer | Cluster | ExistingCluster:
    for name in ("two_nodes", "cluster", "api_server"):
        if name in request.fixturenames:
            server: ApiServer | Cluster | ExistingCluster = request.getfixturevalue(name)
            return server
    raise pytest.UsageError(f"{request.node.name} uses `namespace` without api_server, cluster or two_nodes")
