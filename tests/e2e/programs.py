"""The programs that the workload runs, built once beside the test cluster's own: kubectl, helm, and clients in Go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from cluster.binaries import HELM, Module, build

if TYPE_CHECKING:
    from pathlib import Path

CLIENTS = Module("clients", "k8s.io/client-go", stamps=("k8s.io/client-go/pkg/version.gitVersion={version}",))


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the programs are."""

    kubectl: Path
    helm: Path
    clients: Path

    @classmethod
    def build(cls, kubectl: Path) -> Self:
        """Build what is not built yet; the cluster gives its kubectl."""
        return cls(kubectl, build(HELM) / "helm", build(CLIENTS) / "clients")
