"""An installation for a test, or for all tests of the policy."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cluster.fixtures import namespace_name
from tests.certs.installation import Installation


@pytest.fixture
def installation(api_server, namespace, tmp_path):
    """What the chart makes, on the API server."""
    with _installed(api_server, namespace, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared_installation(api_server, tmp_path_factory):
    """The same for all tests of a module."""
    name = namespace_name("policy")
    api_server.kubectl("create", "namespace", name)
    with _installed(api_server, name, tmp_path_factory.mktemp("policy")) as made:
        yield made
    api_server.kubectl("delete", "namespace", name, "--wait=false")


@contextmanager
def _installed(server, namespace, folder) -> Iterator[Installation]:
    made = Installation(server, namespace, folder)
    yield made
    whole = [
        f"{kind}/{name}-{namespace}" for kind in ("clusterrole", "clusterrolebinding") for name in ("certs", "signer")
    ]
    server.kubectl("delete", *whole, "--ignore-not-found")
    server.kubectl("delete", f"role/certs-{namespace}", f"rolebinding/certs-{namespace}", "--namespace=default")
    for request in made.requests():
        server.kubectl("delete", "csr", request["metadata"]["name"])
