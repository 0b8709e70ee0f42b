"""Network namespaces that stand for pods."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tproxy.podlike import Podlike


@pytest.fixture
def podlike(request: pytest.FixtureRequest) -> Iterator[Podlike]:
    """Give a network namespace with an API server's address in it, as one of a pod would reach it."""
    if os.geteuid() != 0 or not shutil.which("nft"):
        pytest.skip("network namespaces need root, and redirects in them nft")
    name = f"apisnoop-test-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for words in (
            "link set lo up",
            "addr add 10.96.0.1/32 dev lo",
            "addr add 10.201.1.7/32 dev lo",
            "addr add fd00::1/128 dev lo nodad",
        ):
            subprocess.run(["ip", "-n", name, *words.split()], check=True)
        with Podlike(Path("/run/netns") / name) as found:
            yield found
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
