"""Stores on disk for the verbs that report."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.source import load_catalogue
from tests.coverage.recording import SHOP, Called, recorded


@pytest.fixture(scope="session")
def older() -> Catalogue:
    """Kubernetes 1.30, as shipped."""
    return load_catalogue("1.30")


@pytest.fixture
def stored(tmp_path, catalogue) -> Callable[..., Path]:
    """Make a store on disk: a name, the calls in it, and the catalogue they are matched against."""

    def make(name: str, calls: Iterable[Called], against: Catalogue = catalogue) -> Path:
        recorded(calls, catalogue=against, path=str(tmp_path / name)).close()
        return tmp_path / name

    return make


@pytest.fixture
def shop(stored) -> Path:
    """A store of the small shop."""
    return stored("shop.db", SHOP)
