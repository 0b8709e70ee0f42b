"""A folder that others may look into."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture
def public_folder():
    """Outside of pytest's own, which another run of pytest closes to others whenever it starts."""
    with TemporaryDirectory(prefix="apisnoop-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
