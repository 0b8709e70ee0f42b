"""Files to import into a store."""

import pytest


@pytest.fixture
def write(tmp_path):
    def write(data, name="audit.log"):
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return write
