"""The whole way of a call to a person's screen: proxy, feed, viewer process, Chromium."""

import asyncio
import contextlib
import json
import urllib.request

import pytest

from apisnoop_addons.node.feed import Feed
from apisnoop_addons.redact import Redact, redacted_copy
from apisnoop_addons.web.wire import LARGEST
from tests.addons.engine.rig import HOST, rigged
from tests.addons.flows import PODS
from tests.addons.web.person import Person, chromium
from tests.addons.web.test_command import running, settings
from tests.addons.web.viewing import PASSWORD, WEB, made_flow
from tests.looped import eventually, in_loop

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
__all__ = ["settings"]  # a fixture

PLANTED = "planted-51c0ffee"
SECRET = f"/api/v1/namespaces/shop/secrets/db?apikey={PLANTED}"
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
WATCH, EXEC = f"{PODS}?watch=true", f"{PODS}/web-1/exec"


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


def too_large():
    """Give a copy that nobody would want to look at."""
    copy = redacted_copy(made_flow())
    copy.comment = "x" * LARGEST
    return copy


def flows_of(url):
    """Ask the viewer for its list."""
    request = urllib.request.Request(f"{url}/flows", headers={"Authorization": f"Bearer {PASSWORD}"})
    with NO_PROXY.open(request, timeout=20) as answer:
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
            feed.show(too_large())
            shown: list = []
            while len(shown) < 3:
                shown = await asyncio.to_thread(flows_of, url)
            await eventually(lambda: feed._told)
    assert [flow["response"]["timestamp_end"] is None for flow in shown] == [False, True, True]
    feed.close()
    assert len(server.asked) == 3


def test_a_person_logs_in_sees_who_called_finds_no_secret_and_can_replay_nothing(settings, tmp_path):
    """Looking, and only that."""
    url = f"http://{settings['APISNOOP_UI_LISTEN']}"
    with running(settings), chromium(tmp_path / "profile") as browser:
        make_calls(tmp_path, tmp_path / "feed.sock", url)
        person = Person(browser, url)

        person.log_in("wrong")
        person.until_sent_away()
        assert "shop" not in browser.driver.page_source

        person.log_in(PASSWORD)
        person.until_rows("=== 3")
        assert [path.partition("/api")[2] for path in person.column("path")] == [
            path.partition("?apikey")[0].removeprefix("/api") for path in (SECRET, WATCH, EXEC)
        ]
        assert set(person.column("comment")) == {"pod shop/web-1, app, shop/web, kubectl"}
        assert browser.one("td.col-comment").rect["width"] > 300, "who calls has room"
        browser.driver.save_screenshot(str(tmp_path / "list.png"))

        browser.one(".nav-tabs-lg > a.special").click()
        browser.until("document.querySelector('.dropdown-menu')")
        offered = [one.text.strip() for one in browser.all(".dropdown-menu a") if one.is_displayed()]
        assert offered == ["Save", "Save filtered"]
        browser.one(".main-view").click()
        browser.one(".nav-tabs-lg > a:nth-of-type(4)").click()
        assert [one.text for one in browser.all("header .menu-entry, header button") if one.is_displayed()] == [
            "Display Event Log"
        ]
        browser.one("header .menu-group:last-child input").click()
        browser.until("document.querySelector('.eventlog').textContent.includes('left out here: 1,')")
        browser.driver.save_screenshot(str(tmp_path / "log.png"))
        browser.one(".nav-tabs-lg > a:nth-of-type(3)").click()

        person.search('~marker eyes & ~comment "shop/web-1, app"')
        person.until_rows("=== 1")
        assert "watch=true" in person.column("path")[0]
        person.search("~all")
        person.until_rows("=== 3")

        assert PLANTED not in person.all_that_can_be_seen()
        status, told = person.ask(f"flows/{person.flows()[0]['id']}/replay", "POST")
        assert status == 403
        assert "for looking only" in told

        asked = person.press_replay()
        browser.driver.save_screenshot(str(tmp_path / "flow.png"))
        assert any(asked in message and "403" in message for message in browser.messages())
        assert not [button for button in browser.all(".flow-menu *, .btn .fa-edit") if button.is_displayed()]
        assert len(person.flows()) == 3
