"""The whole way of a call to a person's screen: proxy, feed, viewer process, Chromium."""

import asyncio
import contextlib
import json
import shutil
import urllib.request
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from apisnoop_addons.node.feed import Feed
from apisnoop_addons.redact import Redact
from tests.addons.engine.rig import HOST, rigged
from tests.addons.flows import PODS
from tests.addons.web.test_command import running, settings
from tests.addons.web.viewing import PASSWORD, WEB
from tests.looped import eventually, in_loop
from tests.reports.html.browser import DRIVER, PROGRAM, Browser, started

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
__all__ = ["settings"]  # a fixture

PLANTED = "planted-51c0ffee"
SECRET = f"/api/v1/namespaces/shop/secrets/db?apikey={PLANTED}"
WATCH, EXEC = f"{PODS}?watch=true", f"{PODS}/web-1/exec"
EVERYTHING = ("flows", "flows/dump", "events", "options", "state", "commands", "filter-help")


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    for program in (PROGRAM, DRIVER):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is not installed: scripts/setup --cluster installs it")
    with started(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


class ApiServer:
    """Answers every request with the secret, a watch with its beginning, exec with an upgrade."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                assert f"Bearer {PLANTED}" in head
                path = head.split()[1]
                self.asked.append(path)
                if path.startswith(EXEC):
                    writer.write(
                        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
                    )
                elif path == WATCH:
                    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
                else:
                    body = json.dumps({"data": PLANTED}).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: %s\r\nContent-Length: %d\r\n\r\n" % (body, len(body)))
                    writer.write(body)


async def send(rig, stack, path, *headers):
    """Send a request on a connection of its own, which stays open, and wait for the head of its answer."""
    reader, writer = await rig.connect("http/1.1")
    stack.callback(writer.close)
    lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}", f"Authorization: Bearer {PLANTED}", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    await reader.readuntil(b"\r\n\r\n")


def flows_of(url):
    """Ask the viewer for its list."""
    request = urllib.request.Request(f"{url}/flows", headers={"Authorization": f"Bearer {PASSWORD}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


@in_loop
async def make_calls(tmp_path, feed_path, url):
    """Have a secret read, a watch begun and a shell opened through a proxy with a feed; wait until all is shown."""
    feed, server = Feed(feed_path, 100), ApiServer()
    await feed.open()
    await eventually(lambda: feed._viewer)
    how = {"protocols": ("http/1.1",), "answer": server.answer, "identity": WEB}
    async with rigged(tmp_path, Redact(feed.show, feed.wants), **how) as rig:
        with contextlib.ExitStack() as stack:
            await send(rig, stack, SECRET)
            await send(rig, stack, WATCH)
            await send(rig, stack, f"{EXEC}?command={PLANTED}", "Connection: Upgrade", "Upgrade: SPDY/3.1")
            shown: list = []
            while len(shown) < 3:
                shown = await asyncio.to_thread(flows_of, url)
    assert [flow["response"]["timestamp_end"] is None for flow in shown] == [False, True, True]
    feed.close()
    assert len(server.asked) == 3


def log_in(browser, url, password):
    """Type a password into the form."""
    browser.command("Emulation.setDeviceMetricsOverride", width=1400, height=500, deviceScaleFactor=1, mobile=False)
    browser.driver.get(url)
    browser.one("input[name=token]").send_keys(password)
    browser.one("input[type=submit]").click()


def test_a_person_logs_in_sees_who_called_finds_no_secret_and_can_replay_nothing(settings, tmp_path, browser):
    """As told in issue and README: looking, and only that."""
    url = f"http://{settings['APISNOOP_UI_LISTEN']}"
    with running(settings):
        make_calls(tmp_path, tmp_path / "feed.sock", url)

        log_in(browser, url, "wrong")
        assert "Invalid Password" in browser.driver.page_source
        assert "shop" not in browser.driver.page_source

        log_in(browser, url, PASSWORD)
        browser.until("document.querySelectorAll('.flow-table tbody tr.has-response').length === 3")
        paths, callers = browser.texts("td.col-path"), browser.texts("td.col-comment")
        assert [path.rpartition(":")[2].partition("/")[2] for path in paths] == [
            SECRET.partition("?")[0][1:],
            WATCH[1:],
            EXEC[1:],
        ]
        assert set(callers) == {"pod shop/web-1, app, shop/web, kubectl"}
        assert browser.one("td.col-comment").rect["width"] > 300, "the caller has room"
        browser.driver.save_screenshot(str(tmp_path / "list.png"))

        search = browser.one("input[placeholder=Search]")
        search.send_keys('~marker eyes & ~comment "shop/web-1, app"')
        browser.until("document.querySelectorAll('.flow-table tbody tr.has-response').length === 1")
        assert "watch=true" in browser.one("td.col-path").text
        search.send_keys(Keys.CONTROL, "a", Keys.NULL, Keys.DELETE)

        asked = (
            "return fetch(arguments[0], {method: arguments[1], headers: {'X-XSRFToken': "
            "document.cookie.match(/_mitmproxy_xsrf=([^;]*)/)[1]}}).then(async r => [r.status, await r.text()])"
        )
        for path in EVERYTHING:
            status, body = browser.run(asked, path, "GET")
            assert (status, PLANTED in body) == (200, False), path
        assert PLANTED not in browser.driver.page_source

        flow = flows_of(url)[0]["id"]
        status, told = browser.run(asked, f"flows/{flow}/replay", "POST")
        assert status == 403
        assert "for looking only" in told

        browser.until("document.querySelectorAll('.flow-table tbody tr.has-response').length === 3")
        browser.one(".flow-table tbody tr.has-response").click()
        browser.until("document.querySelector('.flow-detail')")
        assert not [button for button in browser.all(".flow-menu *, .btn .fa-edit") if button.is_displayed()]
        browser.messages()
        browser.driver.find_element(By.TAG_NAME, "body").send_keys("r")  # mitmweb's key for replaying
        browser.until(f"performance.getEntriesByName('{url}/flows/{flow}/replay').length")
        assert any("403" in message for message in browser.messages())
        browser.driver.save_screenshot(str(tmp_path / "flow.png"))
        assert len(flows_of(url)) == 3
