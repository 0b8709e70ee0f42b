"""What is said where a machine may be too slow."""

from __future__ import annotations

import subprocess

import pytest

from e2e import patience


@pytest.mark.parametrize(
    ("error", "load", "told"),
    [
        pytest.param(subprocess.TimeoutExpired("kubectl", 1800), 1.0, True, id="a program's limit"),
        pytest.param(TimeoutError("no event"), 1.0, True, id="a limit of ours"),
        pytest.param(RuntimeError("kubectl failed"), 76.0, True, id="much else to do"),
        pytest.param(RuntimeError("kubectl failed"), 7.9, False, id="nothing unusual"),
    ],
)
def test_a_slow_machine_is_named_where_it_may_be_why(monkeypatch, error, load, told):
    """At every limit; at another failure only if the machine has far more to do than it can."""
    monkeypatch.setattr(patience.os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(patience.os, "cpu_count", lambda: 2)
    said = f"too slow just now ({load:.0f} programs want its 2 processors): run it again"
    assert [said in line for line in patience.slowness(error)] == [True] * told
