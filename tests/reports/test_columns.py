"""Text in columns."""

from hypothesis import given
from hypothesis import strategies as st

from apisnoop.reports.columns import Column, cut, pad, render_columns, width_of

NAMES = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Mn", "Me"]), max_size=60)


def test_headers_are_upper_case_and_two_spaces_apart():
    """Tables look like those of kubectl; numbers stand to the right."""
    columns = [Column("name"), Column("calls", right=True)]
    assert render_columns(columns, [["pods", "12"], ["x", "1,000"]]) == ["NAME  CALLS", "pods     12", "x     1,000"]


def test_the_widest_shrinking_column_gives_first():
    """A row that does not fit loses characters where there are most of them, and says so with an ellipsis."""
    columns = [Column("a", shrinks=True, least=4), Column("b"), Column("c", shrinks=True, least=4)]
    lines = render_columns(columns, [["x" * 30, "keep-this", "y" * 10]], 30)
    assert lines[1] == "xxxxxxx…  keep-this  yyyyyyyy…"


def test_wide_characters_take_two_cells():
    """A name in Chinese does not push the next column out of line."""
    assert width_of("部署") == 4
    first, second = render_columns([Column("n"), Column("c")], [["部署", "1"], ["abcd", "2"]])[1:]
    assert width_of(first) == width_of(second)


@given(NAMES, st.integers(2, 40))
def test_cut_text_fits_and_padded_text_fills(text, width):
    """Whatever the text, cutting keeps to the width and padding reaches it."""
    assert width_of(cut(text, width)) <= max(width, 1)
    assert width_of(pad(cut(text, width), width)) == width


@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=5), st.integers(40, 200))
def test_a_table_that_may_shrink_keeps_to_its_width(rows, width):
    """No line is wider than asked for as long as columns may shrink."""
    columns = [Column("one", shrinks=True), Column("two", shrinks=True)]
    assert all(width_of(line) <= width for line in render_columns(columns, rows, width))
