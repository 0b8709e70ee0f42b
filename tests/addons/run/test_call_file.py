"""The file of calls has a line for each, in their order, and says which it lacks."""

import asyncio
import json
import threading
from pathlib import Path

import pytest

from apisnoop.calls.call import Call
from apisnoop.calls.call_line import encode_call
from apisnoop.calls.caller import Caller
from apisnoop.operations.source import load_catalogue
from apisnoop_addons.run.call_file import CallFile


@pytest.fixture(scope="module")
def calls():
    """Six calls, told apart by their audit ids."""
    match = load_catalogue("1.34").match("GET", "/api/v1/pods")
    return [Call(match, Caller(), "GET", "/api/v1/pods", 200, 1.0, 0.1, audit_id=str(number)) for number in range(6)]


def audit_ids(text: str) -> list[str]:
    return [json.loads(line)["audit_id"] for line in text.splitlines()]


def test_every_call_has_its_line(tmp_path, calls):
    """Those that were flushed and those that were not, and what an earlier run left there is gone."""
    (tmp_path / "c").write_text("of an earlier run")

    async def go() -> CallFile:
        file = CallFile(tmp_path / "c")
        file.open()
        for call in calls:
            file.add(call)
            if call.audit_id == "3":
                assert file.flush()
        await file.close()
        return file

    assert asyncio.run(go()).trouble() == ""
    assert audit_ids((tmp_path / "c").read_text()) == list("012345")


def test_lines_wait_up_to_a_limit_and_the_rest_is_told(tmp_path, calls):
    """A disk that does not answer costs lines, not memory."""

    async def go() -> CallFile:
        file = CallFile(tmp_path / "c", most_waiting=2 * len(encode_call(calls[0])))
        file.open()
        for call in calls:
            file.add(call)
        await file.close()
        return file

    told = asyncio.run(go()).trouble()
    assert audit_ids((tmp_path / "c").read_text()) == ["0", "1"]
    assert told.startswith(f"--calls {tmp_path / 'c'} lacks 4 calls, which came faster than the file could be")


def test_while_it_writes_lines_wait(tmp_path, calls, monkeypatch):
    """A flush says that it has to be asked again."""
    go_on = threading.Event()
    write = CallFile._write

    def wait_and_write(self: CallFile, lines: list[bytes]) -> None:
        go_on.wait(10)
        write(self, lines)

    monkeypatch.setattr(CallFile, "_write", wait_and_write)

    async def go() -> list[bool]:
        file = CallFile(tmp_path / "c")
        file.open()
        told = []
        for call in calls[:2]:
            file.add(call)
            told.append(file.flush())
        go_on.set()
        await file.close()
        return told

    assert asyncio.run(go()) == [True, False]
    assert audit_ids((tmp_path / "c").read_text()) == ["0", "1"]


def test_a_full_disk_is_told(calls):
    """Which file, and what to do."""

    async def go() -> CallFile:
        file = CallFile(Path("/dev/full"))
        file.open()
        file.add(calls[0])
        file.flush()
        await file.close()
        return file

    told = "--calls /dev/full is incomplete: No space left on device; free some space and run again"
    assert asyncio.run(go()).trouble() == told
