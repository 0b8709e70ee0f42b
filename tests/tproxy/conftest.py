"""Network namespaces that stand for pods."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from apisnoop_tproxy.settings import Settings
from tests.tproxy.cabled import Cabled, cable
from tests.tproxy.certificates import Authority
from tests.tproxy.fake_pod import FakePod
from tests.tproxy.neighbour import Neighbour, Ours, beside
from tests.tproxy.podlike import API6, Podlike


@pytest.fixture
def podlike(request: pytest.FixtureRequest) -> Iterator[Podlike]:
    """Give a network namespace with an API server's address in it, as one of a pod would reach it."""
    if os.geteuid() != 0 or not shutil.which("nft"):
        pytest.skip("network namespaces need root, and redirects in them nft")
    name = f"apisnoop-test-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    with Podlike(Path("/run/netns") / name) as found:
        for words in (
            "link set lo up",
            "addr add 10.96.0.1/32 dev lo",
            "addr add 10.201.1.7/32 dev lo",
            "addr add fd00::1/128 dev lo nodad",
        ):
            subprocess.run(["ip", "-n", name, *words.split()], check=True)
        found.await_route(API6)  # the kernel makes it a while after the address
        yield found


@pytest.fixture
def cabled(request: pytest.FixtureRequest) -> Iterator[Cabled]:
    """Give a node and a pod that reach one another by network only; the API's addresses are the node's."""
    if os.geteuid() != 0 or not shutil.which("nft"):
        pytest.skip("network namespaces need root, and redirects in them nft")
    with cable() as found:
        yield found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give settings with a certificate that the pod accepts."""
    return Settings(node="node1", socket=tmp_path / "agent.sock", certificate=tmp_path / "tls.crt", kubelet=tmp_path)


@pytest.fixture
def pod(podlike: Podlike, settings: Settings) -> Iterator[FakePod]:
    """Give a pod whose API server answers directly."""
    authority = Authority()
    settings.certificate.write_bytes(authority.issue("kubernetes.default.svc"))
    found = FakePod(podlike, settings.kubelet)
    found.ca_file.write_bytes(authority.pem)
    found.api = podlike.server()
    yield found
    found.close()


@pytest.fixture
def neighbour(podlike: Podlike) -> Iterator[Neighbour]:
    """Give what the pod reaches by a cable."""
    with beside(podlike) as found:
        yield found


@pytest.fixture
def exempting(podlike: Podlike) -> Iterator[Ours]:
    """Give what is ours in the pod: nothing, until it begins."""
    found = Ours(podlike)
    yield found
    found.close()
