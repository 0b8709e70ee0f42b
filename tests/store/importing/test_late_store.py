"""A store that is made late, and goes again if nothing came into it. What `import` does with it is tested there."""

import pytest

from apisnoop.store.importing.late_store import LateStore
from apisnoop.store.store import Store


@pytest.fixture
def path(tmp_path):
    """Where the store would be."""
    return tmp_path / "late.db"


def test_what_was_made_for_nothing_goes(path):
    """With all that SQLite has put beside it."""
    with LateStore(path) as late:
        late()
        assert path.exists()
        late.discard_unused()
    assert list(path.parent.iterdir()) == []


def test_what_was_never_needed_was_never_made(path):
    """There is nothing to remove."""
    with LateStore(path) as late:
        late.discard_unused()
    assert not path.exists()


def test_a_store_that_others_have_open_stays(path):
    """What they are about to write would go to a file without a name."""
    with LateStore(path) as late:
        late()
        with Store.open(path) as other:
            late.discard_unused()
            other.connection.execute("INSERT INTO nodes VALUES ('n1', 1, '')")
    with Store.open(path, create=False) as kept:
        assert kept.connection.execute("SELECT count(*) FROM nodes").fetchone()[0] == 1


def test_what_others_have_put_into_it_meanwhile_keeps_it(path):
    """Two programs may begin with the same file."""
    with LateStore(path) as late:
        late()
        with Store.open(path) as other:
            other.connection.execute("INSERT INTO nodes VALUES ('n1', 1, '')")
        late.discard_unused()
    assert path.exists()
