"""The view of a run in a browser: what it shows, to whom, and what it refuses."""

import asyncio
import errno
import fcntl
import json
import os
import pty
import socket
import subprocess
import termios
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mitmproxy.test import tflow

from apisnoop.errors import ApisnoopError
from apisnoop_addons.run.notices import Notices
from apisnoop_addons.run.ui import Ui
from tests.addons.descriptors import listening
from tests.addons.run.conftest import APISNOOP, CLIENT

pytestmark = pytest.mark.timeout(120)


@asynccontextmanager
async def opened(port: int = 0) -> AsyncIterator[Ui]:
    ui = Ui(Notices(quiet=False))
    await ui.start(port, os.environ)
    try:
        yield ui
    finally:
        await ui.close()


def ask(url: str, path: str = "", method: str = "GET", token: str | None = None) -> tuple[int, bytes]:
    """Ask the viewer with the login of its address, or another."""
    base, _, own = url.partition("?token=")
    request = urllib.request.Request(base + path, method=method)
    request.add_header("Authorization", f"Bearer {own if token is None else token}")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


async def shown(url: str, enough: Callable[[list[Any]], bool]) -> list[Any]:
    """Give the flows that the viewer shows, once they are enough; the feed has no answer to wait for."""
    while True:
        flows = json.loads((await asyncio.to_thread(ask, url, "flows"))[1])
        if enough(flows):
            return list(flows)
        await asyncio.sleep(0.05)


def test_calls_are_shown_and_brought_up_to_date():
    """A later copy of a call takes the place of the earlier one."""
    flow = tflow.tflow(resp=True)
    assert flow.response

    async def go() -> list[Any]:
        async with opened() as ui:
            ui.show(flow)
            await shown(ui.url, lambda flows: len(flows) == 1)
            flow.response.status_code = 418  # type: ignore[union-attr]
            ui.show(flow)
            return await shown(ui.url, lambda flows: flows[0]["response"]["status_code"] == 418)

    assert len(asyncio.run(go())) == 1


def test_only_who_has_the_login_may_look_and_nobody_may_change_anything():
    """Replaying, editing, options and commands are refused even with the login; without it, everything is."""
    flow = tflow.tflow(resp=True)
    changes = {
        f"flows/{flow.id}/replay": "POST",
        f"flows/{flow.id}": "PUT",
        f"flows/{flow.id}/duplicate": "POST",
        "commands/save.file": "POST",
        "options": "PUT",
        "clear": "POST",
    }

    async def go() -> tuple[dict[str, int], int, int]:
        async with opened() as ui:
            ui.show(flow)
            await shown(ui.url, bool)
            refused = {path: ask(ui.url, path, method)[0] for path, method in changes.items()}
            return refused, ask(ui.url, "flows", token="")[0], ask(ui.url, "flows")[0]

    refused, stranger, owner = asyncio.run(go())
    assert refused == dict.fromkeys(changes, 403)
    assert (stranger, owner) == (403, 200)


def test_it_listens_on_loopback_only_and_has_no_proxy():
    """The one port it has is the one of its address."""

    async def go() -> list[str]:
        async with opened() as ui:
            assert ui._process is not None
            lines = await asyncio.to_thread(listening, ui._process.pid)
            port = ui.url.split(":")[2].split("/")[0]
            assert [line.split(":")[1] for line in lines] == [f"{int(port):04X}"]
            return [line.split(":")[0] for line in lines]

    assert asyncio.run(go()) == ["0100007F"]


def test_it_gets_nothing_of_the_environment_that_may_be_secret(monkeypatch):
    """Tokens live in environments."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted")

    async def go() -> bytes:
        async with opened() as ui:
            assert ui._process is not None
            with open(f"/proc/{ui._process.pid}/environ", "rb") as file:  # noqa: ASYNC230, PTH123
                return file.read()

    assert b"planted" not in asyncio.run(go())


def test_a_port_in_use_is_told():
    """Which port, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        async def go() -> None:
            async with opened(port):
                pass

        told = rf"--ui cannot listen on port {port} of loopback: .*in use; name another"
        with pytest.raises(ApisnoopError, match=told):
            asyncio.run(go())


def test_a_run_with_a_view_says_where_and_shows_no_secret(run, kubeconfig, server):
    """The login is printed even to the quiet: nobody could look without it."""
    kubeconfig({"token": "planted-token"})
    ran = run("sh", "-c", '"$0" "$1" /api/v1/namespaces', *CLIENT, ui=True, quiet=True)
    assert ran.code == 0
    assert "apisnoop run: the calls are shown at http://127.0.0.1:" in ran.err
    assert "planted" not in ran.err
    assert len(server.asked) == 1


def test_on_a_terminal_it_stays_open_until_ctrl_c(kubeconfig, server):
    """After the command has ended there is time to look; then the run ends as the command did."""
    kubeconfig()
    terminal = Terminal("--ui", "--", "sh", "-c", '"$0" "$1" /api; exit 7', *CLIENT)
    with terminal.process:
        try:
            said = terminal.read_until("until you press Ctrl-C")
            url = said.partition("the calls stay at ")[2].partition(" ")[0]
            flows = asyncio.run(asyncio.wait_for(shown(url, bool), 20))
            terminal.type(b"\x03")
            terminal.read_until("")
            assert terminal.process.wait(20) == 7
        finally:
            terminal.process.kill()
            terminal.close()
    assert [flow["request"]["path"] for flow in flows] == ["/api"]
    assert "1 of" in said, "the report comes before it lingers"
    with pytest.raises(urllib.error.URLError):
        ask(url)


def test_without_a_terminal_nobody_waits_for_ctrl_c(run, kubeconfig):
    """A script goes on when the command has ended."""
    kubeconfig()
    assert "until you press Ctrl-C" not in run(ui=True).err


class Terminal:
    """`apisnoop run` in a terminal of its own, which its standard streams are."""

    def __init__(self, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*APISNOOP, "--kubeconfig", "kubeconfig", "--db", "store.db", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  no other thread is here
        )
        os.close(theirs)
        self._said = b""

    def read_until(self, text: str) -> str:
        """Give all that was said once this has been; empty: to the end."""
        while not text or text.encode() not in self._said:
            try:
                piece = os.read(self._ours, 2**16)
            except OSError as error:
                if error.errno != errno.EIO:  # what a terminal says when its last user is gone
                    raise
                piece = b""
            if not piece:
                assert not text, self._said.decode()
                break
            self._said += piece
        return self._said.decode()

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def close(self) -> None:
        os.close(self._ours)
