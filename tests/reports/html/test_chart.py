"""The chart and the table beside it, in a browser."""

import math

import pytest
from selenium.webdriver import ActionChains, Keys

from apisnoop.coverage.shares import by_group_version
from apisnoop.operations.operation import Level
from apisnoop.reports.wording import number, percent
from tests.reports.html.browser import Browser

pytestmark = pytest.mark.browser

CRUMBS = "#explore .crumbs bdi"
ROWS = "#explore .list tbody tr"
SECTORS = "#explore .picture path"
TOP = "All operations"


@pytest.fixture(autouse=True)
def _page(browser, cluster_page):
    browser.open(cluster_page)


def click_chart(browser: Browser, degrees: float, radius: float) -> None:
    """Click into the chart, `degrees` clockwise from the top, at a part of its radius."""
    picture = browser.one("#explore .picture")
    browser.run("arguments[0].scrollIntoView({block: 'center'})", picture)
    reach = radius * picture.size["width"] / 2
    x, y = reach * math.sin(math.radians(degrees)), -reach * math.cos(math.radians(degrees))
    ActionChains(browser.driver, duration=0).move_to_element_with_offset(picture, round(x), round(y)).click().perform()


def focused(browser: Browser) -> str:
    return browser.run("return document.activeElement.textContent")


def test_a_click_goes_into_a_part_and_the_middle_comes_back(browser):
    """Level, then group, then resource; each time the breadcrumb, the figure in the middle and the table follow."""
    click_chart(browser, 20, 0.35)
    assert browser.texts(CRUMBS) == [TOP, "stable"]
    assert browser.texts(".middle-count") == ["239 of 666"]
    click_chart(browser, 20, 0.4)
    assert browser.texts(CRUMBS) == [TOP, "stable", "v1"]
    assert "pods" in browser.texts(ROWS)[0]
    browser.one(".middle").click()
    browser.one(".middle").click()
    assert browser.texts(CRUMBS) == [TOP]
    assert not browser.one(".middle").is_enabled()


def test_the_chart_has_a_sector_for_every_part(browser):
    """3 levels, 59 groups, 154 resources and 908 operations of Kubernetes 1.36, none of them deprecated."""
    assert len(browser.all(SECTORS)) == 3 + 59 + 154 + 908


def test_the_breadcrumb_leads_back(browser):
    """Any step of the way can be gone back to at once."""
    for _ in range(3):
        browser.one(".entry").click()
    assert len(browser.texts(CRUMBS)) == 4
    browser.all("#explore .crumbs button")[1].click()
    assert browser.texts(CRUMBS) == [TOP, "stable"]


def test_the_keyboard_reaches_all_that_the_mouse_does(browser):
    """Enter goes into a part and moves the focus on, Escape comes back to where it was."""
    browser.one(".entry").send_keys(Keys.ENTER)
    assert browser.texts(CRUMBS) == [TOP, "stable"]
    assert focused(browser) == browser.texts(".entry")[0] == "v1"
    ActionChains(browser.driver).send_keys(Keys.ENTER).perform()
    assert browser.texts(CRUMBS) == [TOP, "stable", "v1"]
    ActionChains(browser.driver).send_keys(Keys.ESCAPE).perform()
    assert browser.texts(CRUMBS) == [TOP, "stable"]
    assert focused(browser) == "v1"


def test_an_operation_leads_to_who_called_it(browser):
    """The last step opens the operation's row in the table of operations, with its callers."""
    for name in ("stable", "v1", "pods"):
        next(entry for entry in browser.all(".entry") if entry.text == name).click()
    operation = browser.one(".entry")
    name = operation.text
    operation.send_keys(Keys.ENTER)
    assert browser.texts("#operations .chip bdi") == [name]
    assert browser.texts("#operations .name") == [name]
    assert "Caller" in browser.texts("#operations .calls th")
    assert browser.run("return document.activeElement.getAttribute('aria-expanded')") == "true"


def test_a_part_leads_to_its_operations(browser):
    """What is looked at can be listed; the chip says what the table is narrowed to and takes it away."""
    browser.one(".entry").click()
    browser.one("#explore .all").click()
    assert browser.texts("#operations .chip bdi") == ["stable"]
    assert browser.texts("#operations .count") == ["666 of 1,123 operations"]
    browser.one("#operations .chip button").click()
    assert browser.texts("#operations .count") == ["1,123 operations"]


def test_figures_are_those_of_the_other_formats(browser, cluster_report):
    """Groups of stable operations show the shares that Python works out, to the same digit."""
    stable = [
        use for use in cluster_report.operations if use.operation.level is Level.STABLE and not use.operation.deprecated
    ]
    expected = {
        group.name: (
            f"{group.share.ok} / {group.share.total}",
            percent(group.share.percent(cluster_report.count)),
            number(group.calls),
        )
        for group in by_group_version(stable)
    }
    browser.one(".entry").click()
    cells = browser.run(
        "return [...document.querySelectorAll(arguments[0])].map(r => [...r.cells].map(c => c.textContent))", ROWS
    )
    assert {name: tuple(figures) for name, *figures in cells} == expected


def test_pointing_at_a_part_tells_what_it_is(browser):
    """The tip names the part with its figures."""
    picture = browser.one("#explore .picture")
    browser.run("arguments[0].scrollIntoView({block: 'center'})", picture)
    reach = round(0.35 * picture.size["width"] / 2)
    ActionChains(browser.driver, duration=0).move_to_element_with_offset(picture, 30, -reach).perform()
    assert browser.until("!document.querySelector('.tip').hidden")
    assert browser.texts(".tip")[0].startswith("stablelevel239 of 666 operations hit (35.8 %)")


def test_the_chart_is_told_to_those_who_cannot_see_it(browser):
    """It is an image with a name that points to the table, which is a table with named, sortable columns."""
    picture = browser.one("#explore .picture")
    assert picture.get_attribute("role") == "img"
    assert "The table beside it says the same" in picture.get_attribute("aria-label")
    assert browser.one("#explore .list table").get_attribute("aria-label") == f"Parts of {TOP}"


def test_the_chart_follows_the_colour_scheme_at_once(browser, cluster_page):
    """Dark mode changes page and chart without drawing anew; paper is light whatever the screen was."""
    scheme = "return [getComputedStyle(document.body).backgroundColor, getComputedStyle(arguments[0]).fill]"
    sector = browser.all(SECTORS)[1]
    light = browser.run(scheme, sector)
    browser.media("", dark=True)
    dark = browser.run(scheme, sector)
    assert all(one != other for one, other in zip(light, dark, strict=True))
    browser.media("print", dark=True)
    assert browser.run(scheme, sector)[1] == light[1]
