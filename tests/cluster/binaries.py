"""The programs a cluster runs: built from the Go modules in `go/`, once.

Each module pins one upstream project in its go.mod, which is the only place that names a version.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import cache
from .toolchain import GO_SOURCES, find_go, parse_version

if TYPE_CHECKING:
    from pathlib import Path

KUBERNETES_COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module in `go/` and how it becomes programs."""

    name: str
    upstream: str
    """The Go module whose version is the program's own; empty when it is ours."""
    target: str = "."
    """What `go build` gets: the module's main package, or `tool` for the commands its go.mod lists as tools."""
    stamps: tuple[str, ...] = ()
    """Variables the linker sets; `{version}`, `{major}` and `{minor}` stand for the upstream's version."""
    links: tuple[str, ...] = ()
    """Further names of the program."""
    time: str = "about 1 min the first time"
    """How long building takes with cold caches on two cores, for people who wait."""

    @property
    def directory(self) -> Path:
        return GO_SOURCES / self.name

    @property
    def version(self) -> str:
        """The upstream's version as go.mod has it, like v1.36.3."""
        match = re.search(rf"^\s*(?:require )?{re.escape(self.upstream)} (v\S+)", self._go_mod, re.MULTILINE)
        return match[1] if match else ""

    @property
    def go_version(self) -> tuple[int, ...]:
        """The oldest Go that go.mod accepts."""
        match = re.search(r"^go (\S+)", self._go_mod, re.MULTILINE)
        return parse_version(match[1]) if match else ()

    @property
    def linker_flags(self) -> str:
        """What `go build -ldflags` gets: no symbol tables, and the version, which a module build does not know."""
        major, minor, *_ = [*self.version.removeprefix("v").split("."), "", ""]
        values = [stamp.format(version=self.version, major=major, minor=minor) for stamp in self.stamps]
        return " ".join(["-s", "-w", *(f"-X {value}" for value in values)])

    @property
    def sources(self) -> list[bytes]:
        """Everything a built program depends on, beside the Go compiler."""
        files = sorted(path for path in self.directory.iterdir() if path.is_file())
        return [self.linker_flags.encode(), *(path.read_bytes() for path in files)]

    @property
    def _go_mod(self) -> str:
        return (self.directory / "go.mod").read_text()


# Kubernetes reads its version from two packages: components from one, clients (their user agent) from the other.
_KUBERNETES_STAMPS = tuple(
    f"k8s.io/{package}/version.{stamp}"
    for package in ("component-base", "client-go/pkg")
    for stamp in ("gitVersion={version}", "gitMajor={major}", "gitMinor={minor}", "gitTreeState=clean")
)

KUBERNETES = Module(
    "kubernetes",
    "k8s.io/kubernetes",
    stamps=_KUBERNETES_STAMPS,
    links=KUBERNETES_COMPONENTS,
    time="about 6 min the first time",
)
CONTAINERD = Module("containerd", "github.com/containerd/containerd/v2", target="tool")
COREDNS = Module("coredns", "github.com/coredns/coredns")
PAUSE = Module("pause", "", time="a second")
HELM = Module("helm", "helm.sh/helm/v3", target="tool", stamps=("helm.sh/helm/v3/internal/version.version={version}",))

MODULES = (KUBERNETES, CONTAINERD, COREDNS, PAUSE, HELM)


def build(module: Module) -> Path:
    """Return the folder with a module's programs, building them when the cache has none from these sources."""
    return cache.entry(module.name, module.sources, lambda directory: _build(module, directory))


def _build(module: Module, directory: Path) -> None:
    go = find_go(module.go_version)
    what = f"{module.name} {module.version.removeprefix('v')}".rstrip()
    print(f"building {what} ({module.time})", file=sys.stderr)
    flags = ["-trimpath", "-mod=readonly", "-buildvcs=false", "-ldflags", module.linker_flags]
    result = subprocess.run(
        [go, "build", *flags, "-o", f"{directory}/", module.target],
        cwd=module.directory,
        env={**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"},
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=cache.STANDARD_ERROR,
    )
    if result.returncode:
        raise RuntimeError(f"{module.name} cannot be built: see what `go build` says above")
    for link in module.links:
        (directory / link).symlink_to(module.name)
