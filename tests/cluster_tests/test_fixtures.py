"""The fixtures' own parts."""

from __future__ import annotations

import re

import pytest

from cluster.fixtures import namespace_name


@pytest.mark.parametrize("test", ["test_a_pod_runs", "test_x[a/b-ÄÖ]", "test_" + "long" * 40, "test_", "Test[--]"])
def test_every_tests_name_makes_a_valid_namespace(test: str) -> None:
    """Kubernetes wants an RFC 1123 label: at most 63 of a-z, 0-9 and "-", with no "-" at either end."""
    name = namespace_name(test)
    assert len(name) <= 63
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)


def test_a_test_that_runs_twice_has_two_namespaces() -> None:
    """The first may still be going away."""
    assert namespace_name("test_a_pod_runs") != namespace_name("test_a_pod_runs")
