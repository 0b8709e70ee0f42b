"""scripts/build-image: what it asks of the builder it finds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "build-image"

# Notes how it was called and what it was given, and fails where it is to.
BUILDER = (
    '#!/bin/bash\necho "${0##*/} $*" >>"$CALLS"\n[ "$1" != build ] || ls "${@: -1}"/* >>"$CALLS"\nexit ${FAILS:-0}\n'
)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A file with a wheel's name."""
    path = tmp_path / "apisnoop-1.2.3-py3-none-any.whl"
    path.touch()
    return path


def run(directory: Path, builder: str, *words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script with one builder, which notes its calls in `calls`, and nothing else that could build."""
    programs = directory / "programs"
    programs.mkdir()
    for program in ("bash", "basename", "cp", "cut", "dirname", "ls", "mkdir", "mktemp", "rm", "sed"):
        found = next(path for path in (Path("/bin", program), Path("/usr/bin", program)) if path.exists())
        (programs / program).symlink_to(found)
    if builder:
        (programs / builder).write_text(BUILDER)
        (programs / builder).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name != "PIP_CERT"}
    return subprocess.run(
        [SCRIPT, *words],
        env={**kept, "PATH": str(programs), "CALLS": str(directory / "calls"), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("builder", "saved"),
    [
        ("buildah", "buildah push --quiet apisnoop:1.2.3 docker-archive:{0}/apisnoop.tar:apisnoop:1.2.3"),
        ("docker", "docker save --output {0}/apisnoop.tar apisnoop:1.2.3"),
    ],
)
def test_either_builder_builds_and_saves_what_is_asked_for(
    tmp_path: Path, wheel: Path, builder: str, saved: str
) -> None:
    """Only the image that was named, from the given wheel, on the given base, tagged with the wheel's version."""
    result = run(tmp_path, builder, "--base", "some/base", "--wheel", wheel, "--archives", tmp_path, "apisnoop")
    assert (result.returncode, result.stdout) == (0, "apisnoop:1.2.3\n"), result.stderr
    lines = (tmp_path / "calls").read_text().splitlines()
    assert lines[0].startswith(f"{builder} build ")
    assert " --build-arg BASE=some/base --target apisnoop --tag apisnoop:1.2.3 " in lines[0]
    given = {line.rpartition("/")[2] for line in lines[1:-1] if line}
    assert {"tproxy.txt", "proxy.txt", wheel.name} <= given
    assert lines[-1] == saved.format(tmp_path)


def test_both_images_are_built_unless_one_is_named(tmp_path: Path, wheel: Path) -> None:
    """A tag of one's own goes to both; the company's authority is passed as a secret."""
    result = run(tmp_path, "buildah", "--wheel", wheel, "--tag", "test", PIP_CERT="/etc/company.pem")
    assert (result.returncode, result.stdout) == (0, "apisnoop:test\napisnoop-proxy:test\n"), result.stderr
    assert (tmp_path / "calls").read_text().count("--secret id=ca,src=/etc/company.pem") == 2


def test_a_build_that_fails_is_no_image(tmp_path: Path, wheel: Path) -> None:
    """The builder has said why; no name is printed."""
    result = run(tmp_path, "buildah", "--wheel", wheel, FAILS="1")
    assert (result.returncode, result.stdout) == (1, "")


def test_without_a_builder_the_next_step_is_told(tmp_path: Path, wheel: Path) -> None:
    """One line names both builders and how to get one."""
    result = run(tmp_path, "", "--wheel", wheel)
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith("build-image: neither buildah nor docker is here; install one")


@pytest.mark.parametrize("words", [["no-such-image"], ["--tag"], ["--sideways", "x"]])
def test_wrong_usage_is_told(tmp_path: Path, words: list[str]) -> None:
    """The usage goes to standard error."""
    result = run(tmp_path, "buildah", *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert "scripts/build-image [--base IMAGE]" in result.stderr
