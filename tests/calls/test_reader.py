"""Finding the readers that components register."""

import sys
from pathlib import Path

import pytest

from apisnoop.calls.reader import find_reader, reader_named
from apisnoop.errors import ApisnoopError


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Install a distribution that registers the reader `other`: the module's text, and what the entry point names."""

    def install(text: str, value: str = "other_reader") -> None:
        (tmp_path / "other_reader.py").write_text(text)
        facts = tmp_path / "other-1.2.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.2\n")
        (facts / "entry_points.txt").write_text(f"[apisnoop.readers]\nother = {value}\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "other_reader", raising=False)
        monkeypatch.setattr("apisnoop.calls.reader.reader_names", lambda: ["other"])

    return install


WHOLE = """
def recognises(head):
    return head.startswith(b"other")

def read(stream, matcher):
    return iter(())
"""


def test_a_reader_is_found_by_name_and_by_the_beginning_of_an_input(plugin):
    """A module with the two functions is all that it takes."""
    plugin(WHOLE)
    assert reader_named("other") is sys.modules["other_reader"]
    assert find_reader(b"other things") == ("other", sys.modules["other_reader"])


def test_a_reader_whose_needs_are_not_installed_is_none(plugin):
    """It is passed over, as if it were not registered."""
    plugin("import a_module_that_nobody_has")
    assert reader_named("other") is None
    assert find_reader(b"other things") is None


@pytest.mark.parametrize(
    ("text", "value", "why"),
    [
        ("", "other_reader", "other_reader has no function recognises"),
        ("def recognises(head): return True", "other_reader", "other_reader has no function read"),
        (WHOLE + "read = 1", "other_reader", "other_reader has no function read"),
        (WHOLE, "other_reader:Reader", "Reader"),
    ],
)
def test_what_is_no_reader_is_named_with_its_distribution(plugin, text, value, why):
    """Whoever installed it learns in one line what to upgrade or remove."""
    plugin(text, value)
    with pytest.raises(ApisnoopError, match=r"^broken reader other of other 1\.2: ") as caught:
        find_reader(b"anything")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
