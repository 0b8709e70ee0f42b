"""`scripts/cluster`, as a person uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.slot import Slot
from cluster_tests.traces import traces

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "cluster"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script; where the project has no .venv it finds the Python of this test run."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [SCRIPT, *arguments],
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.cluster
def test_a_cluster_outlives_up_until_down() -> None:
    """`up` prints the line that selects the cluster and nothing else; `status` lists it; `down` leaves nothing."""
    up = run("up")
    assert up.returncode == 0, up.stderr
    kubeconfig = Path(up.stdout.removeprefix("export KUBECONFIG=").rstrip("\n"))
    slot = Slot(int(kubeconfig.parent.name))
    had = traces(slot)
    try:
        kubectl = subprocess.run(
            [kubeconfig.parent / "bin" / "kubectl", "get", "nodes", "-o", "name"],
            env={**os.environ, "KUBECONFIG": str(kubeconfig)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        assert kubectl.stdout == "node/node1\n"
        rows = [line.split() for line in run("status").stdout.splitlines()]
        assert [str(slot.index), "1", "up", str(kubeconfig)] in [[*row[:2], *row[3:]] for row in rows]
    finally:
        down = run("down", str(slot.index))
    assert (down.returncode, down.stderr) == (0, f"cluster {slot.index} is gone\n")
    assert had & traces(slot) == set()


def test_a_cluster_that_does_not_run_cannot_be_ended() -> None:
    """One line says so and where to look; the exit code is that of something that is not there."""
    down = run("down", "99")
    expected = "scripts/cluster: no cluster 99 is running: `scripts/cluster status` lists them\n"
    assert (down.returncode, down.stdout, down.stderr) == (3, "", expected)


@pytest.mark.parametrize("arguments", [[], ["sideways"], ["up", "--nodes", "3"]])
def test_wrong_usage_is_told(arguments: list[str]) -> None:
    """A missing or unknown command or value is a usage error."""
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("usage: scripts/cluster")
