"""A store, and files to import into it."""

import pytest

from apisnoop.store.store import Store


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "apisnoop.db") as opened:
        yield opened


@pytest.fixture
def write(tmp_path):
    def write(data, name="audit.log"):
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return write
