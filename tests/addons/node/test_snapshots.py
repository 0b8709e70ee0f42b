"""Snapshots are made one at a time, after they were asked for, and leave nothing behind."""

import asyncio

import pytest

from apisnoop.errors import ApisnoopError
from apisnoop_addons.node import snapshots as module
from apisnoop_addons.node.snapshots import Snapshots
from tests.looped import in_loop


class Store:
    """Writes snapshots that are numbered."""

    def __init__(self):
        self.written = 0

    async def write(self, path):
        """Write one."""
        self.written += 1
        path.write_text(str(self.written))


def yes():
    """Want it."""
    return True


@in_loop
async def test_who_asks_meanwhile_gets_a_snapshot_of_its_own_afterwards(tmp_path):
    """It is made when the first has been read, so that there is room, and has what came meanwhile."""
    store = Store()
    snapshots = Snapshots(store.write, tmp_path)

    async def second():
        async with snapshots.take(yes) as file:
            return file.read()

    async with snapshots.take(yes) as file:
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0)
        assert file.read() == b"1"
        assert store.written == 1
    assert await waiting == b"2"


@in_loop
async def test_nothing_is_made_for_who_has_gone_while_it_waited(tmp_path):
    """And the next gets its turn."""
    store = Store()
    snapshots = Snapshots(store.write, tmp_path)
    async with snapshots.take(lambda: False) as file:
        assert file is None
    assert store.written == 0
    async with snapshots.take(yes) as file:
        assert file.read() == b"1"


@in_loop
async def test_who_waits_too_long_is_told_why(tmp_path, monkeypatch):
    """Silence would be taken for a node that does not answer."""
    monkeypatch.setattr(module, "TURN_SECONDS", 0.01)
    snapshots = Snapshots(Store().write, tmp_path)
    async with snapshots.take(yes):
        with pytest.raises(ApisnoopError, match="another snapshot of this node is being sent"):
            async with snapshots.take(yes):
                pass
    async with snapshots.take(yes) as file:
        assert file.read() == b"2", "it gets its turn once the first is done"


@in_loop
async def test_a_snapshot_has_no_name_while_it_is_read(tmp_path):
    """So its room is free again as soon as it is closed, even by the end of the process."""
    async with Snapshots(Store().write, tmp_path).take(yes):
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [ApisnoopError("the disk is full"), OSError(28, "No space left on device")])
@in_loop
async def test_one_that_fails_leaves_nothing_and_makes_room_for_the_next(tmp_path, error):
    """What was written of it is gone, and the reason is told in one line."""

    async def fail(path):
        path.write_bytes(b"half")
        raise error

    snapshots = Snapshots(fail, tmp_path)
    for _ in range(2):
        with pytest.raises(ApisnoopError, match=r"^.*(is full|No space left on device)$"):
            async with snapshots.take(yes):
                pass
        assert list(tmp_path.iterdir()) == []


@in_loop
async def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    """The one who asks learns which."""
    scratch = tmp_path / "gone"
    with pytest.raises(ApisnoopError, match=f"no snapshot can be made in {scratch}: "):
        async with Snapshots(Store().write, scratch).take(yes):
            pass


def test_what_a_killed_proxy_left_is_removed(tmp_path):
    """Its volume outlives it, and would fill up."""
    (tmp_path / "snapshot-abc").mkdir()
    (tmp_path / "snapshot-abc" / "apisnoop.db-journal").write_bytes(b"half")
    (tmp_path / "apisnoop.db").write_bytes(b"")
    Snapshots(Store().write, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["apisnoop.db"]
