"""Fixtures for every test: the real cluster, a catalogue, and one switch that writes golden files anew."""

import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.source import load_catalogue

if TYPE_CHECKING:
    from pathlib import Path

# How long one example takes says how busy the machine is, nothing about the code.
settings.register_profile("apisnoop", deadline=None, print_blob=True)
settings.load_profile("apisnoop")

pytest_plugins = ["cluster.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="write the golden files anew instead of comparing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a folder together, in whatever order: what they share is then started once."""
    folders: dict[Path, int] = {}
    for item in items:
        folders.setdefault(item.path.parent, len(folders))
    items.sort(key=lambda item: folders[item.path.parent])


@pytest.fixture(scope="session", autouse=True)
def _signals_as_in_a_terminal() -> None:
    """Undo what `nohup` and background jobs do: what ignores a signal has all that it starts ignore it, too."""
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """Kubernetes 1.36, as shipped: the release that the test cluster runs."""
    return load_catalogue("1.36")
