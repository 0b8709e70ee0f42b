"""Helm as a program: what it says reaches people, and why it has failed is the last of it."""

import pytest

from apisnoop.cli.helm import run_helm
from apisnoop.errors import ApisnoopError


@pytest.fixture
def helm(tmp_path, monkeypatch):
    """Put a Helm on the PATH that does what a test says."""

    def does(script):
        (tmp_path / "helm").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "helm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return does


def test_a_failure_ends_with_helms_own_reason(helm, capsys):
    """What it says before that is passed on, and the reason is not said twice."""
    helm("echo 'WARNING: old' >&2; echo 'Error: UPGRADE FAILED: no such value' >&2; echo >&2; exit 1")
    with pytest.raises(ApisnoopError, match=r"^helm upgrade has failed: UPGRADE FAILED: no such value$"):
        run_helm(["upgrade"])
    assert capsys.readouterr().err == "WARNING: old\n"


def test_a_failure_without_a_word_says_how_it_ended(helm):
    """Killed, for instance."""
    helm("exit 7")
    with pytest.raises(ApisnoopError, match="has failed: it ends with 7"):
        run_helm(["upgrade"])


def test_what_a_helm_that_succeeds_says_is_passed_on_whole(helm, capsys):
    """Warnings count, too."""
    helm("echo one >&2; echo two >&2")
    run_helm(["upgrade"])
    assert capsys.readouterr().err == "one\ntwo\n"
