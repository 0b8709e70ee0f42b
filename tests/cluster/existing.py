"""A cluster that somebody else runs, named by APISNOOP_TEST_KUBECONFIG: what can be tested there is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from . import binaries
from .access import Access
from .cluster import Cluster

VARIABLE = "APISNOOP_TEST_KUBECONFIG"


class ExistingCluster(Access):
    """Stands in for a cluster of our own; a test that needs more than its API is skipped, with the reason."""

    @classmethod
    def from_environment(cls) -> ExistingCluster | None:
        """Return the cluster the environment names, if it names one."""
        value = os.environ.get(VARIABLE)
        if not value:
            return None
        kubeconfig = Path(value).resolve()
        if not kubeconfig.is_file():
            raise FileNotFoundError(f"{VARIABLE}={value} is no file; name a kubeconfig or unset it")
        found = shutil.which("kubectl")
        return cls(kubeconfig, Path(found) if found else binaries.build(binaries.KUBERNETES) / "kubectl")

    def __getattr__(self, name: str) -> NoReturn:
        if not hasattr(Cluster, name):  # not skipped: a mistake in the test, as it would be with a cluster of our own
            raise AttributeError(f"no cluster has {name!r}", name=name, obj=self)
        pytest.skip(f"needs the cluster's {name}, which the one of {VARIABLE} does not give")
