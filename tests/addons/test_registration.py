"""What the addons register with the core is what the core asks for."""

from importlib.metadata import entry_points

import pytest

from apisnoop.calls.reader import GROUP as READERS


@pytest.mark.parametrize("point", entry_points(group=READERS), ids=lambda point: point.name)
def test_every_registered_reader_can_read(point):
    """What components register as a reader has both halves of the protocol."""
    reader = point.load()
    assert callable(reader.recognises)
    assert callable(reader.read)
