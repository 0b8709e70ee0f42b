"""`scripts/cluster`, as a person uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cluster import cli, images
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


def in_shell(script: str) -> list[str]:
    """Run a shell script and return the lines it prints."""
    result = subprocess.run(
        ["sh", "-euc", script], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    return result.stdout.splitlines()


@pytest.mark.cluster
def test_a_cluster_outlives_up_until_down() -> None:
    """A shell that evaluates what `up` prints has its kubectl and helm; `load` brings images; `down` leaves nothing."""
    up = run("up")
    assert up.returncode == 0, up.stderr
    kubeconfig, nodes, releases = in_shell(
        f"{up.stdout}\necho $KUBECONFIG; kubectl get nodes -o name; helm list -q | wc -l"
    )
    slot = Slot(int(Path(kubeconfig).parent.name))
    had = traces(slot)
    try:
        assert (nodes, releases) == ("node/node1", "0")
        assert run("env", str(slot.index)).stdout == up.stdout
        rows = [line.split() for line in run("status").stdout.splitlines()]
        assert [str(slot.index), "1", "up", kubeconfig] in [[*row[:2], *row[3:]] for row in rows]
        loaded = run("load", str(images.archive()), "--into", str(slot.index))
        assert (loaded.returncode, loaded.stderr.endswith("local/coredns:1 is on 1 node\n")) == (0, True), loaded.stderr
        refused = run("load", __file__, "--into", str(slot.index))
        assert refused.returncode == 3
        assert refused.stderr.startswith(f"scripts/cluster: cannot import {__file__}: ")
    finally:
        down = run("down", str(slot.index))
    assert (down.returncode, down.stderr) == (0, f"cluster {slot.index} is gone\n")
    assert had & traces(slot) == set()


@pytest.mark.parametrize("is_installed", [True, False])
def test_a_shell_finds_our_own_programs_too(tmp_path, monkeypatch, capsys, is_installed: bool) -> None:
    """Once the project is set up; `up` says what to call, or what to do first."""
    monkeypatch.setattr(cli, "VENV_PROGRAMS", tmp_path / "bin")
    monkeypatch.setattr(cli.binaries, "build", lambda _: tmp_path / "built")
    started = SimpleNamespace(directory=tmp_path / "7", stay=lambda: None)
    started.directory.mkdir()
    monkeypatch.setattr(cli.Cluster, "start", lambda **_: started)
    monkeypatch.setattr(cli, "Slot", lambda index: SimpleNamespace(directory=tmp_path / str(index)))
    if is_installed:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "apisnoop").touch()
    assert cli.main(["up"]) == 0
    said = capsys.readouterr()
    assert f"export PATH={tmp_path}/7/tools:" in said.out
    linked = {link.name: link.readlink().parent.name for link in (tmp_path / "7" / "tools").iterdir()}
    assert linked == {"kubectl": "built", "helm": "built", **({"apisnoop": "bin"} if is_installed else {})}
    then = "apisnoop run -- kubectl get pods -A" if is_installed else "scripts/setup, for there is no apisnoop yet"
    assert said.err.splitlines()[-1] == f"and then, for example:       {then}"


@pytest.mark.parametrize("command", ["down", "env"])
@pytest.mark.parametrize("number", ["99", "everything"])
def test_a_cluster_that_does_not_run_can_be_neither_ended_nor_used(command: str, number: str) -> None:
    """One line says so and where to look; the exit code is that of something that is not there."""
    down = run(command, number)
    expected = f"scripts/cluster: no cluster {number} is running: `scripts/cluster status` lists them\n"
    assert (down.returncode, down.stdout, down.stderr) == (3, "", expected)


@pytest.mark.parametrize("arguments", [[], ["sideways"], ["up", "--nodes", "3"]])
def test_wrong_usage_is_told(arguments: list[str]) -> None:
    """A missing or unknown command or value is a usage error."""
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("usage: scripts/cluster")


class Running:
    """Clusters that are said to run; the numbers of those that were ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, by_up: list[int], by_tests: list[int]) -> None:
        self.ended: list[int] = []
        slots = [Slot(number) for number in sorted([*by_up, *by_tests])]
        monkeypatch.setattr(cli, "running", lambda: slots)
        monkeypatch.setattr(cli, "stays", lambda slot: slot.index in by_up)
        monkeypatch.setattr(cli, "end", lambda slot: self.ended.append(slot.index))
        monkeypatch.setattr(cli, "sweep", lambda: None)


@pytest.mark.parametrize(
    ("words", "by_up", "ended"),
    [
        pytest.param([], [4], [4], id="the only one"),
        pytest.param([], [], [], id="none"),
        pytest.param(["all"], [2, 4], [2, 4], id="all"),
        pytest.param(["2"], [2, 4], [2], id="one of several"),
        pytest.param(["3"], [2], [3], id="a test's, by its number"),
    ],
)
def test_down_ends_what_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch, words: list[str], by_up: list[int], ended: list[int]
) -> None:
    """A cluster of a running test is ended only by its number."""
    clusters = Running(monkeypatch, by_up=by_up, by_tests=[3])
    assert (cli.main(["down", *words]), clusters.ended) == (0, ended)


@pytest.fixture
def imports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cluster that is said to run, where importing takes no time."""
    for node in ("node1", "node2"):
        socket = tmp_path / node / "disk/run/containerd/containerd.sock"
        socket.parent.mkdir(parents=True)
        socket.touch()
    monkeypatch.setattr(cli, "_chosen", lambda _: [SimpleNamespace(directory=tmp_path)])
    monkeypatch.setattr(cli, "_import", lambda *_: None)


def test_load_says_what_it_does_as_it_begins(
    imports: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Building takes minutes the first time; at the end each image is named, and on how many nodes it is."""

    def build(folder: Path, name: str, tag: str) -> Path:
        archive = folder / f"{name}.tar"
        images.write_archive(archive, [images.Image(f"{name}:1", (), ())])
        return archive

    monkeypatch.setattr(cli.project_images, "build", build)
    assert cli.main(["load"]) == 0
    takes = "(a minute or two the first time, seconds later on)"
    assert capsys.readouterr().err.splitlines() == [
        line
        for name in ("apisnoop", "apisnoop-proxy")
        for line in (
            f"building image {name} {takes}",
            f"loading {name}:1 to node1",
            f"loading {name}:1 to node2",
            f"{name}:1 is on 2 nodes",
        )
    ]


def test_an_image_without_a_name_is_loaded_too(
    imports: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is called that, and not what its archive is called."""
    archive = tmp_path / "image.tar"
    images.write_archive(archive, [])
    assert cli.main(["load", str(archive)]) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "an image without a name is on 2 nodes"


@pytest.mark.parametrize("command", ["down", "env"])
def test_with_several_clusters_one_is_to_be_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Nothing is guessed, and the line says which there are."""
    clusters = Running(monkeypatch, by_up=[2, 4], by_tests=[3])
    assert (cli.main([command]), clusters.ended) == (3, [])
    assert capsys.readouterr().err == "scripts/cluster: several clusters are running (2, 4): say which\n"
