"""What the workload says while it runs, and when it fails; that it runs, the other tests tell."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext

import pytest

from e2e import workload


@pytest.fixture
def parts(monkeypatch):
    """Have every part done at once, and Helm reach its limit."""

    def hang(*_):
        raise subprocess.TimeoutExpired("helm", 1800)

    monkeypatch.setattr(workload.Workload, "_informers", lambda _: nullcontext())
    monkeypatch.setattr(workload.Workload, "_release", hang)
    monkeypatch.setattr(workload, "run_kubectl", lambda _: 75)
    options = [f"--{name}={name}" for name in ("kubectl", "helm", "clients", "namespace")]
    monkeypatch.setattr(sys, "argv", ["workload", *options])


def test_a_part_is_told_when_it_begins(parts, capsys):
    """It may take minutes, and who waits would know of what."""
    with pytest.raises(SystemExit):
        workload.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["kubectl        begins", "kubectl        75 commands (0 s)", "Helm           begins"]


def test_a_limit_is_told_with_what_was_done_and_what_to_do(parts):
    """Not only which command took too long: the next step, too."""
    with pytest.raises(SystemExit) as left:
        workload.main()
    failed, where, advice = str(left.value.code).splitlines()
    assert failed == "workload: Command 'helm' timed out after 1800 seconds"
    assert where == "That was the part Helm; done by then: kubectl."
    assert advice.startswith("This machine may be too slow just now")
