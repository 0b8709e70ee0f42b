"""A store, and a folder that others may look into."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from apisnoop.store.store import Store


@pytest.fixture
def public_folder():
    """Outside of pytest's own, which another run of pytest closes to others whenever it starts."""
    with TemporaryDirectory(prefix="apisnoop-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def store(tmp_path):
    """An empty store in the test's own folder."""
    with Store.open(tmp_path / "apisnoop.db") as opened:
        yield opened
