"""The `--ui` of a run: starts the viewer process, feeds it, and stays with it after the command has ended.

The viewer gets redacted copies and nothing else: an environment of its own, no file of the run, and a login that it
makes itself. A viewer that is slow or gone never holds up a call.
"""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress

from mitmproxy.http import HTTPFlow

from apisnoop.errors import ApisnoopError
from apisnoop_addons.run.notices import Notices
from apisnoop_addons.web.wire import encode_copy

_MOST_WAITING = 8 * 2**20
"""Bytes on their way to the viewer; what comes while there are more is not shown."""
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH")
"""Environment that the viewer gets: nothing in which a secret may be."""
_PATIENCE = 20.0
"""Seconds that the viewer may take to start."""


class Ui:
    """A viewer process. Use: `start`, `show` any number of times, `linger` if wanted, `close`; in one event loop."""

    def __init__(self, notices: Notices) -> None:
        self.url = ""
        """Where it can be opened, login included; empty until it has been started."""
        self._notices = notices
        self._process: Process | None = None

    async def start(self, port: int, environment: Mapping[str, str]) -> None:
        """Start it on a port of loopback (0: any). Raises ApisnoopError where that cannot be had."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "apisnoop_addons.run.viewer", str(port)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env={name: environment[name] for name in _KEPT if name in environment},
            cwd="/",
            # Ctrl-C is for the command; the viewer ends when its input does.
            start_new_session=True,
        )
        self.url = await self._first_line(port)
        self._notices.tell(f"the calls are shown at {self.url}", always=True)

    def show(self, copy: HTTPFlow) -> None:
        """Show a call, or what has become of it since: a redacted copy of its flow."""
        feed = self._process.stdin if self._process else None
        if feed is None or feed.is_closing():
            return
        if feed.transport.get_write_buffer_size() > _MOST_WAITING:
            self._notices.tell("the browser's view is too slow and does not show every call; the report has them all")
            return
        with suppress(ValueError):  # nobody looks at a call of a megabyte
            feed.write(encode_copy(copy))

    async def linger(self) -> None:
        """Stay until the viewer ends or the user has seen enough (KeyboardInterrupt)."""
        if self._process is not None and self._process.returncode is None:
            self._notices.tell(f"the calls stay at {self.url} until you press Ctrl-C", always=True)
            await self._process.wait()

    async def close(self) -> None:
        """End the viewer."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _first_line(self, port: int) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(_PATIENCE):
                line = (await self._process.stdout.readline()).decode().strip()
        except TimeoutError:
            line = "it takes too long to start"
        if line.startswith("http://"):
            return line
        await self.close()
        asked = f"port {port}" if port else "a free port"
        raise ApisnoopError(f"--ui cannot listen on {asked} of loopback: {line}; name another one with --ui-port")
