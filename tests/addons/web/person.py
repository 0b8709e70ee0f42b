"""A person who looks at calls in Chromium."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.reports.html.browser import DRIVER, PROGRAM, Browser, started

EVERYTHING = ("flows", "flows/dump", "events", "options", "state", "commands", "filter-help")
"""That the viewer tells, but for what it tells of single calls."""
ROW = ".flow-table tbody tr.has-request"
_FETCH = """
    return fetch(arguments[0], {
        method: arguments[1],
        headers: {'X-XSRFToken': document.cookie.match(/_mitmproxy_xsrf=([^;]*)/)[1]},
    }).then(async answer => [answer.status, await answer.text()])
"""


class Person:
    """Someone with a browser in front of one viewer."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser = browser
        self.url = url

    def log_in(self, password: str) -> None:
        """Open the viewer and type a password into its form."""
        self.browser.command(
            "Emulation.setDeviceMetricsOverride", width=1400, height=500, deviceScaleFactor=1, mobile=False
        )
        self.browser.driver.get(self.url)
        self.browser.one("input[name=token]").send_keys(password)
        self.browser.one("input[type=submit]").click()

    def until_sent_away(self) -> None:
        """Wait for the form that says that it was the wrong password."""
        self.browser.until("document.body?.textContent.includes('Invalid Password')")

    def until_rows(self, condition: str) -> None:
        """Wait until the list has e.g. "=== 3" rows."""
        self.browser.until(f"document.querySelectorAll('{ROW}').length {condition}")

    def column(self, name: str) -> list[str]:
        """Read a column of the list."""
        return self.browser.texts(f"td.col-{name}")

    def search(self, words: str) -> None:
        """Type a search, in place of what was typed before."""
        field = self.browser.one("input[placeholder=Search]")
        field.send_keys(Keys.CONTROL, "a", Keys.NULL, Keys.DELETE)
        field.send_keys(words)

    def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Ask the viewer for something, as its own page could."""
        status, text = self.browser.run(_FETCH, path, method)
        return status, text

    def flows(self) -> list[dict[str, Any]]:
        """Give the list that the page was made of."""
        return list(json.loads(self.ask("flows")[1]))

    def all_that_can_be_seen(self) -> str:
        """Give everything that the viewer tells whoever has logged in, and what the page shows."""
        told = [self.ask(path) for path in EVERYTHING]
        for flow in self.flows():
            told += [self.ask(f"flows/{flow['id']}/{side}/content/auto.json") for side in ("request", "response")]
        assert {status for status, _ in told[: len(EVERYTHING)]} == {200}
        return self.browser.driver.page_source + "".join(text for _, text in told)

    def press_replay(self) -> str:
        """Open the first call and press mitmweb's key for replaying; give the address that this asks for."""
        flow = self.flows()[0]["id"]
        self.browser.one(ROW).click()
        self.browser.until("document.querySelector('.flow-detail')")
        self.browser.messages()
        self.browser.run("performance.clearResourceTimings()")  # others were asked for before
        self.browser.driver.find_element(By.TAG_NAME, "body").send_keys("r")
        address = self.browser.until("performance.getEntriesByType('resource').find(e => /replay$/.test(e.name))?.name")
        assert str(address).startswith(f"{self.url}/flows/"), flow
        return str(address)


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start a Chromium."""
    for program in (PROGRAM, DRIVER):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is not installed: scripts/setup --cluster installs it")
    with started(profile) as browser:
        yield browser
