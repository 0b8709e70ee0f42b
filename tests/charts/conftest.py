"""One release of the chart for all tests that need it, in the cluster of two nodes."""

import secrets
from pathlib import Path

import pytest

from tests.charts.installation import Installation, until
from tests.charts.polling import start_polling
from tests.charts.workloads import reader

SETTINGS = ("mitmweb.enabled=true", "metrics.enabled=true")
"""As it is shipped, with what is off by default switched on where it disturbs nobody."""
TAKES_IT_AWAY = "test_uninstalled.py"
_RELEASE = pytest.StashKey[Installation]()


def pytest_collection_modifyitems(items):
    """Have tests that take the release away come last, those that need it absent behind those that need it there."""
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    ours.sort(key=lambda item: ("absent" in item.fixturenames, item.path.name == TAKES_IT_AWAY))
    following = iter(ours)
    items[:] = [next(following) if Path(__file__).parent in item.path.parents else item for item in items]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item, nextitem):
    """Uninstall the release before other tests get the cluster."""
    given = item.config.stash.get(_RELEASE, None)
    if given is None or nextitem is None or Path(__file__).parent in nextitem.path.parents:
        return
    if given.installed:
        given.uninstall()


@pytest.fixture(scope="session")
def release(request, two_nodes, apisnoop_archive, apisnoop_proxy_archive):
    """Give the release, installed or not, in a cluster whose nodes have the images."""
    for archive in (apisnoop_archive, apisnoop_proxy_archive):
        two_nodes.load_image(archive)
    request.config.stash[_RELEASE] = given = Installation(two_nodes)
    return given


@pytest.fixture
def installed(release):
    """Have the release be there."""
    if not release.installed:
        release.install(*SETTINGS)
        until(release.prepares)
    return release


@pytest.fixture
def absent(release):
    """Have the release not be there."""
    if release.installed:
        release.uninstall()
    return release


@pytest.fixture
def a_namespace(two_nodes):
    """Give a function that makes a namespace, whose pods may read ConfigMaps; they go after the test."""
    names = []

    def make(level="privileged", **labels):
        name = f"charts-{secrets.token_hex(3)}"
        enforce = {"pod-security.kubernetes.io/enforce": level}
        two_nodes.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {**enforce, **labels}}}
        )
        names.append(name)
        two_nodes.kubectl("wait", "serviceaccount/default", "--for=create", "--timeout=60s", "--namespace", name)
        two_nodes.apply(reader(name), name)
        return name

    yield make
    for name in names:
        two_nodes.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def polling(two_nodes, a_namespace):
    """Have a marked pod ask ten times a second, each time on a new connection; gives its namespace."""
    where = a_namespace()
    start_polling(two_nodes, where)
    return where
