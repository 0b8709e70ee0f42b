"""A table of shares, for levels and verbs: name, bar, hit, total, per cent."""

from collections.abc import Iterable
from xml.etree.ElementTree import Element

from apisnoop.coverage.report import Group
from apisnoop.coverage.share import Count
from apisnoop.reports.html.markup import bar, element
from apisnoop.reports.wording import number, percent


def shares_table(name: str, groups: Iterable[Group], count: Count, extra: Group | None = None) -> Element:
    """Give a table of shares; `extra` is a last row, set apart, that is no part of the total."""
    heads = (name, "Share", "Hit", "Total", "")
    rows = [_share_row(group, count) for group in groups]
    if extra is not None and extra.share.total:
        rows.append(_share_row(extra, count, class_="apart"))
    return element(
        "table",
        element("thead", element("tr", *(_head(text, number=at > 1) for at, text in enumerate(heads)))),
        element("tbody", *rows),
        class_="shares",
    )


def _head(text: str, *, number: bool) -> Element:
    if not text:
        return element("td")
    return element("th", text, scope="col", class_="number" if number else "text")


def _share_row(group: Group, count: Count, **attributes: str) -> Element:
    return element(
        "tr",
        element("th", element("bdi", group.name), scope="row"),
        element("td", bar(group.share, count), class_="bar-cell"),
        element("td", number(group.share.hit(count)), class_="number"),
        element("td", number(group.share.total), class_="number"),
        element("td", percent(group.share.percent(count)), class_="number"),
        **attributes,
    )
