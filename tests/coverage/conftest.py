"""The catalogues that recordings are held against."""

import pytest

from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.source import load_catalogue


@pytest.fixture(scope="session")
def older() -> Catalogue:
    """Kubernetes 1.30, as shipped."""
    return load_catalogue("1.30")
