"""A headless Chromium that opens reports from files and tells what they did."""

import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

PROGRAM, DRIVER = "chromium", "chromedriver"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",
)
WAIT = 20
READY = "return performance.getEntriesByName('apisnoop-ready')[0]?.startTime ?? null"


class Browser:
    """One Chromium; `open` shows a page, the rest asks about it."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> float | None:
        """Open a page; give the milliseconds until its program was done, None for a page without one."""
        self.driver.get("about:blank")
        self.messages()
        self.requests()
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        self.media("", dark=dark)
        self.driver.get(page.as_uri())
        return self.run(READY)

    def media(self, media: str, *, dark: bool = False) -> None:
        """Emulate a medium ("print", or "" for the screen) and a colour scheme."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.command("Emulation.setEmulatedMedia", media=media, features=[scheme, still])

    def run(self, script: str, *values: object) -> Any:
        """Run JavaScript in the page and give what it returns."""
        return self.driver.execute_script(script, *values)

    def command(self, name: str, **parameters: object) -> Any:
        """Send a command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, parameters)

    def all(self, selector: str) -> list[WebElement]:
        """Give the elements that a CSS selector finds."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """Give the first element that a CSS selector finds."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """Give the texts of the elements that a CSS selector finds, hidden ones too."""
        return self.run("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector)

    def until(self, script: str) -> Any:
        """Wait until an expression of JavaScript is true, and give its value."""
        return WebDriverWait(self.driver, WAIT, 0.02).until(lambda _: self.run(f"return {script}"))

    def messages(self) -> list[str]:
        """Give what was written to the console since last asked: errors, warnings, refusals by the page's policy."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Give the addresses asked for since last asked."""
        events = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def pdf(self) -> bytes:
        """Print the page."""
        return base64.b64decode(self.command("Page.printToPDF", printBackground=True)["data"])

    def picture(self, path: Path, *, down_to: str) -> None:
        """Take a picture of the page from its top to the bottom of an element."""
        bottom = "return document.querySelector(arguments[0]).getBoundingClientRect().bottom + scrollY"
        width, height = self.run("return document.documentElement.clientWidth"), self.run(bottom, down_to) + 24
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        taken = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(taken["data"]))


@contextmanager
def started(profile: Path) -> Iterator[Browser]:
    """Start a Chromium with a profile of its own, and end it."""
    options = ChromeOptions()
    options.binary_location = str(shutil.which(PROGRAM))
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(shutil.which(DRIVER)))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
