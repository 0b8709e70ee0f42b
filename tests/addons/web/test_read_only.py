"""What can be asked of the viewer: all of mitmweb's HTTP interface, request by request."""

import json
import re

import pytest
from mitmproxy.tools.web.app import handlers
from tornado.web import RequestHandler

from apisnoop_addons.web.read_only import REFUSAL, may_pass
from tests.addons.web.viewing import copied, made_flow, viewing
from tests.looped import in_loop

METHODS = RequestHandler.SUPPORTED_METHODS
GROUPS = {"cmd": "replay.client", "message": "response", "content_view": "auto"}


def concrete(pattern: str, flow: str) -> str:
    """Make a path that a route of mitmweb matches."""
    path = re.sub(r"\(\?:[^()]*\)\?", "", pattern)
    path = re.sub(r"\(\?P<(\w+)>[^()]*\)", lambda group: {**GROUPS, "flow_id": flow}[group[1]], path)
    assert re.fullmatch(pattern, path)
    return path


CHANGES = b'{"arguments": ["@all"], "comment": "changed", "scripts": ["/tmp/x.py"], "mode": ["regular"]}'

LOOKED_AT = {
    "/",
    "/commands",
    "/events",
    "/filter-help",
    "/flows",
    "/flows/ID/response/content.data",
    "/flows/ID/response/content/auto",
    "/flows/dump",
    "/options",
    "/state",
    "/updates",
}


def test_of_all_that_mitmweb_can_be_asked_only_looking_and_logging_in_pass():
    """A list of what may be, held against every route and method there is: what a later mitmweb adds is refused."""
    asked = {(method, concrete(pattern, "0-a")) for method in METHODS for pattern, _ in handlers}
    passed = {(method, path.replace("0-a", "ID")) for method, path in asked if may_pass(method, path)}
    assert passed == {("GET", path) for path in LOOKED_AT} | {("POST", "/")}


@pytest.mark.parametrize(
    "path",
    [
        "/flows/0-a/replay",
        "/flows/../clear",
        "//flows",
        "/flows/",
        "/static/../app.py",
        "/static/a/b",
        "/flows\n",
        "/processes",
        "/executable-icon",
        "/FLOWS",
        "",
    ],
)
def test_what_only_looks_like_looking_does_not_pass(path):
    """Nothing is asked of mitmweb but what is meant."""
    assert not may_pass("GET", path)


@in_loop
async def test_whatever_else_is_asked_is_refused_and_changes_nothing(tmp_path):
    """Every other route and method, logged in and from the viewer's own page; asked of the real mitmweb."""
    async with viewing(tmp_path) as looker:
        flow = made_flow()
        looker.viewer.take(copied(flow))
        before = (await looker.ask("/flows")).body, (await looker.ask("/options")).body
        for pattern, _ in handlers:
            for method in METHODS:
                path = concrete(pattern, flow.id)
                if may_pass(method, path):
                    continue
                answer = await looker.ask(
                    path,
                    method,
                    body=CHANGES,
                    headers={"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"},
                )
                assert answer.code == 403, f"{method} {path}"
                assert method == "HEAD" or answer.body.decode() == REFUSAL
        assert ((await looker.ask("/flows")).body, (await looker.ask("/options")).body) == before


@in_loop
async def test_what_passes_answers(tmp_path):
    """The list of what may be asked is not longer than it need be."""
    async with viewing(tmp_path) as looker:
        flow = made_flow()
        looker.viewer.take(copied(flow))
        for path in LOOKED_AT - {"/updates", "/flows/ID/response/content.data"}:
            assert (await looker.ask(path.replace("ID", flow.id))).code == 200, path
        assert (await looker.ask("/updates")).code == 400  # wants to be a WebSocket
        assert json.loads((await looker.ask("/state")).body)["servers"] == {}


@in_loop
async def test_without_the_password_there_is_a_form_and_nothing_else(tmp_path):
    """Every route that passes, without a login and with a wrong one."""
    async with viewing(tmp_path) as looker:
        flow = made_flow()
        looker.viewer.take(copied(flow))
        for path in LOOKED_AT:
            for password in ("", "wrong"):
                answer = await looker.ask(path.replace("ID", flow.id), password=password)
                assert answer.code == 403, path
                assert flow.id.encode() not in answer.body
                assert (b"<form" in answer.body) == (path == "/")
                assert (b"the Secret apisnoop-mitmweb has it" in answer.body) == (path == "/")
                assert b"console" not in answer.body
