"""The tables of the page, in a browser: filtering, sorting, paging, opening rows."""

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.support.select import Select

from tests.reports.html.browser import Browser

pytestmark = pytest.mark.browser


def column(browser: Browser, section: str, title: str) -> list[str]:
    """Give the shown texts of a column."""
    return browser.run(
        """
        const table = document.querySelector(`#${arguments[0]} table`);
        const at = [...table.tHead.rows[0].cells].findIndex(cell => cell.textContent === arguments[1]);
        return [...table.tBodies[0].rows].filter(row => !row.matches('.detail')).map(row => row.cells[at].textContent);
        """,
        section,
        title,
    )


def heading(browser: Browser, section: str, title: str):
    return next(th for th in browser.all(f"#{section} thead th") if th.text.startswith(title))


def count(browser: Browser, section: str) -> str:
    return browser.texts(f"#{section} .count")[0]


def numbers(texts: list[str]) -> list[int]:
    return [int(text.replace(",", "")) for text in texts]


def test_words_filter_operations(browser, cluster_page):
    """Every word must be in the row, in any order, in any case; the count says how many are left."""
    browser.open(cluster_page)
    browser.one("#operations input").send_keys("Pods EVICTION")
    assert column(browser, "operations", "Operation") == [
        "createCoreV1NamespacedPodEvictionPOST /api/v1/namespaces/{namespace}/pods/{name}/eviction"
    ]
    assert count(browser, "operations") == "1 of 1,123 operations"


def test_a_filter_that_fits_nothing_says_so(browser, cluster_page):
    """An empty table is never left without a word."""
    browser.open(cluster_page)
    browser.one("#operations input").send_keys("nosuchthing")
    assert browser.texts("#operations tbody td") == ["No row fits the filter."]


@pytest.mark.parametrize(
    ("choice", "status", "expected"),
    [("hit", "Hit", 269), ("errors", "Only errors", 6), ("none", "Not called", 848)],
)
def test_operations_can_be_chosen_by_status(browser, cluster_page, choice, status, expected):
    """Hit, only errors, not called: together they are the whole catalogue."""
    browser.open(cluster_page)
    Select(browser.all("#operations select")[0]).select_by_value(choice)
    assert set(column(browser, "operations", "Status")) == {status}
    assert count(browser, "operations") == f"{expected} of 1,123 operations"


def test_filters_join(browser, cluster_page):
    """Two choices and a word must all hold."""
    browser.open(cluster_page)
    status, level, total = (Select(select) for select in browser.all("#operations select")[:3])
    level.select_by_value("beta")
    status.select_by_value("hit")
    total.select_by_value("deprecated")
    assert count(browser, "operations") == "0 of 1,123 operations"
    total.select_by_value("yes")
    assert count(browser, "operations") == "18 of 1,123 operations"


def test_a_column_sorts_both_ways(browser, cluster_page):
    """A number starts with the most; the heading says how it is sorted, and no other one does."""
    browser.open(cluster_page)
    for order, reverse in (("descending", True), ("ascending", False)):
        heading(browser, "operations", "Errors").find_element("tag name", "button").send_keys(Keys.ENTER)
        errors = numbers(column(browser, "operations", "Errors"))
        assert errors == sorted(errors, reverse=reverse)
        assert heading(browser, "operations", "Errors").get_attribute("aria-sort") == order
    assert len(browser.all("#operations [aria-sort]")) == 1


def test_names_sort_as_people_count(browser, cluster_page):
    """v2 stands before v10, whatever the case of letters."""
    browser.open(cluster_page)
    heading(browser, "callers", "Caller").find_element("tag name", "button").click()
    names = column(browser, "callers", "Caller")
    assert names[0].startswith("argocd-1/")
    assert names == sorted(names, key=str.lower)


def test_operations_come_most_called_first(browser, cluster_page):
    """The first look shows what matters, and the table says so."""
    browser.open(cluster_page)
    calls = numbers(column(browser, "operations", "Calls"))
    assert calls == sorted(calls, reverse=True)
    assert heading(browser, "operations", "Calls").get_attribute("aria-sort") == "descending"


def test_only_a_page_of_rows_is_built(browser, cluster_page):
    """Fifty at once; the next page goes on where the first ended; all are there when asked for."""
    browser.open(cluster_page)
    first = column(browser, "operations", "Operation")
    assert len(first) == 50
    back, on = browser.all("#operations .pager button")
    assert not back.is_enabled()
    on.click()
    assert browser.texts("#operations .range") == ["51–100 of 1,123"]
    assert not set(first) & set(column(browser, "operations", "Operation"))
    Select(browser.one("#operations .pager select")).select_by_visible_text("All rows")
    assert len(column(browser, "operations", "Operation")) == 1_123
    assert not on.is_enabled()


def test_who_calls_what_can_be_walked(browser, cluster_page, cluster_report):
    """From an operation to a caller, and from the caller to an operation."""
    browser.open(cluster_page)
    browser.one("#operations .open").click()
    caller = browser.one("#operations .detail .calls .link")
    name = caller.text
    caller.click()
    assert browser.texts("#callers .name") == [name]
    operation = browser.one("#callers .detail .link")
    called = operation.text
    operation.click()
    assert browser.texts("#operations .name") == [called]
    use = next(use for use in cluster_report.operations if use.operation.id == called)
    assert numbers(column(browser, "operations", "Calls")) == [use.calls.total]


def test_a_row_opens_and_closes(browser, cluster_page):
    """The button says which of both it is."""
    browser.open(cluster_page)
    opener = browser.one("#callers .open")
    assert opener.get_attribute("aria-expanded") == "false"
    opener.send_keys(Keys.SPACE)
    assert opener.get_attribute("aria-expanded") == "true"
    assert len(browser.all("#callers tr.detail")) == 1
    opener.send_keys(Keys.SPACE)
    assert browser.all("#callers tr.detail") == []


def test_a_long_list_in_a_row_is_cut_until_asked_for(browser, fleet_page):
    """Fifteen callers of a popular operation, then all of them."""
    browser.open(fleet_page)
    heading(browser, "operations", "Callers").find_element("tag name", "button").click()
    callers = numbers(column(browser, "operations", "Callers"))[0]
    browser.one("#operations .open").click()
    tables = "#operations .detail .calls:has(.link) tbody tr"
    assert len(browser.all(tables)) == 15 < callers
    next(link for link in browser.all("#operations .detail .link") if link.text == f"Show all {callers}").click()
    assert len(browser.all(tables)) == callers


def test_a_tile_shows_its_findings(browser, cluster_page):
    """The summary's tiles lead to the table of findings, narrowed to their class."""
    browser.open(cluster_page)
    tile = browser.one(".tile[data-class=deprecated]")
    findings = tile.find_element("class name", "tile-number").text
    tile.send_keys(Keys.ENTER)
    assert set(column(browser, "findings", "Class")) == {"deprecated"}
    assert count(browser, "findings") == f"{findings} of 31 findings"


def test_findings_can_be_searched_by_who(browser, cluster_page):
    """What did this workload do wrong?"""
    browser.open(cluster_page)
    browser.one("#findings input").send_keys("velero")
    assert 0 < len(column(browser, "findings", "Class")) < 31


def test_callers_can_be_chosen_by_finding(browser, cluster_page):
    """Who still uses what was removed?"""
    browser.open(cluster_page)
    Select(browser.one("#callers select")).select_by_value("removed")
    shown = column(browser, "callers", "Findings")
    assert shown
    assert all("removed" in findings for findings in shown)


def test_a_breakdown_has_a_table_of_its_own(browser, fleet_page, fleet_report):
    """What `--by` tells apart is there, and only where it was asked for."""
    browser.open(fleet_page)
    assert browser.one("#by h2").text == "By namespace"
    assert count(browser, "by") == f"{len(fleet_report.by.parts)} rows"


def test_callers_that_were_not_asked_for_are_said_to_be_unknown(browser, paged, without_callers):
    """An empty table of callers does not mean that nobody called."""
    browser.open(paged(without_callers))
    assert browser.texts("#callers tbody td") == ["Who called what was not asked for when this report was made."]
    assert "By" not in [title.text for title in browser.all("h2") if title.is_displayed()]
    browser.one("#operations .open").click()
    assert "Who called it was not asked for." in browser.one("#operations .detail").text
