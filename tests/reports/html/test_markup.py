"""Elements made in Python."""

from apisnoop.coverage.share import Count, Share
from apisnoop.reports.html.markup import bar, element, html_of


def test_no_text_or_attribute_becomes_markup():
    """Tags, quotes and ampersands of data stay text."""
    made = html_of(element("p", "<b>&", element("i", '">'), "</p>", title='" onclick="x'))
    assert made == '<p title="&quot; onclick=&quot;x">&lt;b&gt;&amp;<i>"&gt;</i>&lt;/p&gt;</p>'


def test_control_characters_are_shown_not_obeyed():
    """Escape sequences and marks that turn the direction of text become U+FFFD."""
    assert html_of(element("p", "a\x1b[31m\u202eb")) == "<p>a\ufffd[31m\ufffdb</p>"


def test_a_bar_is_as_long_as_its_share():
    """Hits come first, then what was answered with errors only."""
    rects = {rect.get("class"): (rect.get("x"), rect.get("width")) for rect in bar(Share(8, 2, 3), Count.OK)}
    assert rects["bar-hit"] == ("0.000", "25.000")
    assert rects["bar-errors"] == ("25.000", "12.500")


def test_a_bar_of_nothing_is_empty():
    """A level without operations has neither hits nor errors to draw."""
    assert [rect.get("class") for rect in bar(Share(), Count.OK)] == ["bar-none"]
