"""What a page must not do, in a browser: ask for anything, complain, run what a recording brought in."""

from dataclasses import replace

import pytest
from selenium.common import NoAlertPresentException

from apisnoop.calls.caller import Caller
from apisnoop.coverage.measure import coverage_of
from apisnoop.coverage.who import Dimension
from tests.coverage.recording import NINE, Called, recorded

pytestmark = pytest.mark.browser

NAMES = (
    "<script>window.hacked=1</script>",
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "\"' onmouseover=window.hacked=1 x='",
    "{{constructor.constructor('window.hacked=1')()}}${window.hacked=1}",
    "{a|b}\n{hr|}",
    "\u202egnp.exe\u202c \u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "x" * 253,
    "__proto__",
)


@pytest.fixture(scope="session")
def named_page(paged, catalogue):
    """Each hostile name as namespace, workload, container, user, client, path, file and loss."""
    calls = []
    for name in NAMES:
        caller = Caller(namespace=name, workload=name, container=name, user=name, client=name, client_version=name)
        calls += [Called(caller, "GET", "/api/v1/pods"), Called(caller, "GET", f"/apis/{name}/v1/{name}", 404)]
    with recorded(calls, catalogue=catalogue) as store:
        return paged(coverage_of(store, catalogue, callers=True, by=Dimension.NAMESPACE, now=NINE))


@pytest.mark.parametrize("kind", ["cluster_page", "fleet_page", "hostile_page", "named_page", "empty_page"])
def test_a_page_asks_for_nothing_and_has_nothing_to_complain_of(browser, request, kind):
    """The file itself is the only request, and the console stays empty, also when rows and chart are used."""
    page = request.getfixturevalue(kind)
    browser.open(page)
    for button in (".entry", "#operations .open", "#callers .open", "#findings .open", "#callers .sort"):
        if kind != "empty_page":
            browser.run("document.querySelector(arguments[0]).click()", button)
    assert browser.messages() == []
    assert browser.requests() == [page.as_uri()]


@pytest.mark.parametrize("kind", ["hostile_page", "named_page"])
def test_hostile_names_run_nothing_and_make_no_element(browser, request, kind):
    """Scripts and images in names stay text, in tables, details and chart."""
    browser.open(request.getfixturevalue(kind))
    for opener in browser.all("#callers .open, #findings .open"):
        opener.click()
    with pytest.raises(NoAlertPresentException):
        _ = browser.driver.switch_to.alert
    assert browser.run("return window.hacked ?? null") is None
    assert browser.run("return document.querySelectorAll('img, iframe, script').length") == 3
    assert browser.run("return document.querySelectorAll('[onerror], [onmouseover]').length") == 0


def test_hostile_names_are_shown_as_they_are(browser, named_page):
    """Who looks for a name finds it, markup and all; only control characters are replaced."""
    browser.open(named_page)
    shown = " ".join(browser.texts("#callers .name"))
    for name in NAMES[:5]:
        assert name in shown


def test_names_in_another_direction_do_not_turn_the_page(browser, named_page):
    """Marks that turn text around are gone, and every name is isolated from the text beside it."""
    browser.open(named_page)
    text = browser.run("return document.body.innerText")
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200f") & set(text)
    assert browser.run("return getComputedStyle(document.querySelector('#callers .name')).unicodeBidi") == "isolate"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", ["cluster_page", "fleet_page", "named_page", "empty_page"])
def test_no_page_is_wider_than_its_window(browser, request, kind, width):
    """Names of 253 letters break; nothing needs scrolling sideways, on a telephone either."""
    browser.open(request.getfixturevalue(kind), width=width)
    for opener in browser.all("#callers .open, #findings .open")[:6]:
        browser.run("arguments[0].click()", opener)
    assert browser.run("return document.documentElement.scrollWidth") <= width


def test_the_policy_holds(browser, cluster_page):
    """What was not in the page when it was made cannot run, be styled, or ask for anything."""
    browser.open(cluster_page)
    browser.run("""
        const add = (tag, properties) => document.body.append(Object.assign(document.createElement(tag), properties));
        add('script', { textContent: 'window.hacked = 1' });
        add('img', { src: 'data:image/gif;base64,R0lGODlhAQABAAAAACw=' });
    """)
    assert browser.run("return window.hacked ?? null") is None
    assert browser.run("return fetch('data:text/plain,x').then(() => 'answered', () => 'refused')") == "refused"
    said = browser.messages()
    assert len(said) >= 3
    assert all("Content Security Policy" in message for message in said)


def test_a_catalogue_may_be_hostile_too(browser, paged, cluster_report):
    """Group and resource names of a document that somebody was given are text in chart and table as well."""
    name = NAMES[1]
    uses = tuple(
        replace(use, operation=_renamed(use.operation, name)) if at % 2 else use
        for at, use in enumerate(cluster_report.operations)
    )
    browser.open(paged(replace(cluster_report, operations=uses)))
    browser.one(".entry").click()
    browser.one(".entry").click()
    assert name in " ".join(browser.texts(".entry")) + " ".join(browser.texts(".crumbs bdi"))
    assert browser.run("return window.hacked ?? null") is None
    assert browser.messages() == []


def _renamed(operation, name):
    return type(operation)(
        **{field: getattr(operation, field) for field in operation.__struct_fields__}
        | {"resource": name, "id": f"{name}{operation.id}", "group": name}
    )
