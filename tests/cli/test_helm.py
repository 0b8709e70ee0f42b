"""Helm as a program: what it says reaches people, and why it has failed is the last of it."""

from pathlib import Path

import pytest

from apisnoop.cli.helm import Order, output_of_helm, run_helm
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


def test_what_helm_writes_can_be_read(helm, capfd):
    """Its warnings come when it is done in earnest."""
    helm("echo manifest; echo WARNING >&2")
    assert output_of_helm(["upgrade"]) == "manifest\n"
    assert capfd.readouterr() == ("", "")


def test_a_failure_to_render_says_all_that_helm_said(helm, capsys):
    """Reasons take several lines."""
    helm("echo nothing; echo 'Error: values refused:' >&2; echo '- agent: nope is not allowed' >&2; exit 1")
    with pytest.raises(ApisnoopError, match=r"^helm upgrade has failed: - agent: nope is not allowed$"):
        output_of_helm(["upgrade"])
    assert capsys.readouterr().err == "Error: values refused:\n"


@pytest.mark.parametrize("act", [Order.install, Order.render, lambda order: order.show("v1.36.0")])
@pytest.mark.parametrize(
    ("last", "is_explained"), [("- at '': additional properties 'imag' not allowed", True), ("Error: timed out", False)]
)
def test_a_value_that_is_refused_comes_with_where_values_are_described(helm, act, last, is_explained):
    """Helm's words name what is wrong, and not what would be right."""
    helm(f"""echo 'Error: values do not fit:' >&2; echo "{last}" >&2; exit 1""")
    with pytest.raises(ApisnoopError, match="has failed") as raised:
        act(Order("watch", "home", Path("/my charts"), (), ()))
    told = "; the chart's values and what they mean: helm show values '/my charts'"
    assert str(raised.value).endswith(last.removeprefix("Error: ") + told * is_explained)


@pytest.mark.parametrize("run", [run_helm, output_of_helm])
def test_a_helm_that_cannot_be_run_is_told(tmp_path, monkeypatch, run):
    """It is there and may be executed, and is no program."""
    (tmp_path / "helm").write_bytes(b"\x7fELF")
    (tmp_path / "helm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ApisnoopError, match=r"^helm cannot be run: Exec format error$"):
        run(["upgrade"])


def test_what_is_looked_at_beforehand_is_what_is_installed(helm, capfd):
    """Same release, values and cluster, and those of an earlier install."""
    helm('echo "$@"')
    order = Order("watch", "home", Path("/chart"), ("--set=a=b",), ("--kube-context", "c"))
    order.install()
    done = capfd.readouterr().err.strip()
    assert done == (
        "upgrade --install watch /chart --reset-then-reuse-values --namespace home --kube-context c --set=a=b"
    )
    assert order.render() == f"{done} --dry-run=server\n"
