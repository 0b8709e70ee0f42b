"""Running client programs against an API server."""

from __future__ import annotations

import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from cluster.access import Access, environment_without_proxies, write_kubeconfig

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    write_kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:1/", tmp_path / "ca.crt", {"token": "t"})
    return tmp_path / "kubeconfig"


def access(kubeconfig: Path, script: str) -> Access:
    """Return an access whose kubectl is a shell script."""
    kubectl = kubeconfig.with_name("kubectl")
    kubectl.write_text(f"#!/bin/sh\n{script}\n")
    kubectl.chmod(0o755)
    return Access(kubeconfig, kubectl)


def test_a_failing_kubectl_tells_why(kubeconfig: Path) -> None:
    """The exception carries what kubectl wrote, so a failing test shows it."""
    with pytest.raises(subprocess.CalledProcessError) as error:
        access(kubeconfig, 'echo "error: no such thing: $1" >&2; exit 1').kubectl("nonsense")
    assert error.value.__notes__ == ["error: no such thing: nonsense"]


def test_kubectl_gets_the_kubeconfig_and_the_input_it_is_given(kubeconfig: Path) -> None:
    """Without input it reads an empty one: it never waits for a terminal."""
    server = access(kubeconfig, 'echo "$KUBECONFIG"; cat')
    assert server.kubectl("apply", stdin="thing") == f"{kubeconfig}\nthing"
    assert server.kubectl("apply") == f"{kubeconfig}\n"


def test_the_servers_address_is_the_current_contexts(kubeconfig: Path) -> None:
    """Without the slash at the end, so that a path can be added."""
    assert access(kubeconfig, "").apiserver_url == "https://127.0.0.1:1"


def test_a_kubeconfig_is_readable_by_its_owner_only(kubeconfig: Path) -> None:
    """It names a key, and may hold a token."""
    assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600


def test_clients_use_no_http_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment knows no way to a cluster on this machine; either spelling counts."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid")
    monkeypatch.setenv("http_proxy", "http://proxy.invalid")
    monkeypatch.setenv("KEPT", "1")
    environment = environment_without_proxies()
    assert "KEPT" in environment
    assert not {"HTTPS_PROXY", "http_proxy"} & environment.keys()
