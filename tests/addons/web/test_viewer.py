"""What the viewer shows, and what it is not able to do."""

import gc
import json
import logging

import pytest
from mitmproxy import flowfilter
from mitmproxy.io import FlowReader

from apisnoop_addons.bound import Bounds
from apisnoop_addons.web.wire import Loss
from tests.addons.flows import PODS
from tests.addons.web.viewing import PASSWORD, copied, looking_on, made_flow, viewing
from tests.looped import eventually, in_loop


async def flows_of(looker):
    """Ask for the list of flows."""
    return json.loads((await looker.ask("/flows")).body)


@in_loop
async def test_a_call_is_shown_with_its_pod_and_container_and_brought_up_to_date(tmp_path):
    """A later copy of a call takes the earlier one's place."""
    async with viewing(tmp_path) as looker:
        flow = made_flow(f"{PODS}?watch=1")
        looker.viewer.take(copied(flow))
        [first] = await flows_of(looker)
        assert first["comment"] == "pod shop/web-1, app, shop/web, kubectl"
        assert first["request"]["path"] == f"{PODS}?watch=1"
        flow.response.status_code = 418
        looker.viewer.take(copied(flow))
        [second] = await flows_of(looker)
        assert (second["id"], second["response"]["status_code"]) == (first["id"], 418)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of mitmproxy's parser of searches
@in_loop
async def test_pods_containers_watches_and_shells_can_be_searched_for(tmp_path):
    """With mitmweb's own search."""
    async with viewing(tmp_path) as looker:
        for flow in (made_flow(f"{PODS}?watch=1"), made_flow(f"{PODS}/web-1/exec", status=101), made_flow("/api")):
            looker.viewer.take(copied(flow))

        def found(search):
            return [flow.request.path for flow in looker.viewer.view if flowfilter.match(search, flow)]

        assert found('~comment "pod shop/web-1, app"') == [f"{PODS}?watch=1", f"{PODS}/web-1/exec", "/api"]
        assert found("~comment other-pod") == []
        assert found("~marker eyes") == [f"{PODS}?watch=1"]
        assert found("~marker plug") == [f"{PODS}/web-1/exec"]


@in_loop
async def test_a_browser_that_looks_on_is_told(tmp_path):
    """Of new calls and of what becomes of them, at once."""
    async with viewing(tmp_path) as looker, looking_on(looker) as browser:
        flow = made_flow()
        looker.viewer.take(copied(flow))
        looker.viewer.take(copied(flow))
        told = [json.loads(await browser.read_message()) for _ in range(2)]
        assert [message["type"] for message in told] == ["flows/add", "flows/update"]
        assert told[0]["payload"]["flow"]["id"] == flow.id


@in_loop
async def test_calls_that_are_not_shown_are_told_of(tmp_path):
    """Nobody takes the list for all there was."""
    async with viewing(tmp_path) as looker:
        looker.viewer.take(Loss(17))
        await eventually(lambda: looker.viewer.events.data)
        [event] = json.loads((await looker.ask("/events")).body)
        assert "calls left out here: 17" in event["message"]


@in_loop
async def test_what_is_kept_is_bounded(tmp_path):
    """The oldest calls go."""
    async with viewing(tmp_path, Bounds(flows=2)) as looker:
        made = [made_flow(f"/api/v1/nodes/{number}") for number in range(4)]
        for flow in made:
            looker.viewer.take(copied(flow))
        assert sorted(flow["id"] for flow in await flows_of(looker)) == sorted(flow.id for flow in made[2:])


@in_loop
async def test_once_it_is_full_it_grows_no_more(tmp_path):
    """However many calls come, and come back with what has become of them."""

    def objects_after_many(looker):
        for number in range(100):
            flow = made_flow(f"/api/v1/nodes/{number}")
            looker.viewer.take(copied(flow))
            looker.viewer.take(copied(flow))
        gc.collect()
        return len(gc.get_objects())

    async with viewing(tmp_path, Bounds(flows=20)) as looker:
        objects_after_many(looker)
        full = objects_after_many(looker)
        assert objects_after_many(looker) < full + 500, "100 flows are more"


@in_loop
async def test_what_is_shown_can_be_saved_and_is_what_was_shown(tmp_path):
    """As a flow file, for `apisnoop import`."""
    async with viewing(tmp_path) as looker:
        looker.viewer.take(copied(made_flow(authorization="Bearer planted")))
        answer = await looker.ask("/flows/dump")
        assert b"planted" not in answer.body
        (tmp_path / "flows").write_bytes(answer.body)
        with (tmp_path / "flows").open("rb") as file:
            [flow] = FlowReader(file).stream()
        assert flow.request.path == PODS


@in_loop
async def test_there_is_nothing_in_it_that_could_send_run_or_write(tmp_path):
    """Were a refusal gone around, there would be no command to find behind it."""
    async with viewing(tmp_path) as looker:
        assert {name.split(".")[0] for name in looker.viewer.commands.commands} == {"view", "eventstore"}
        assert "scripts" not in looker.viewer.options.keys()  # noqa: SIM118 - it is no mapping
        assert not looker.viewer.options.server


@in_loop
async def test_neither_password_nor_its_hash_is_told_or_logged(tmp_path, caplog):
    """A login by address, as mitmweb allows, gets into no log; the options, which are shown, hold no hash."""
    caplog.set_level(logging.DEBUG)
    async with viewing(tmp_path) as looker:
        assert (await looker.ask(f"/?token={PASSWORD}", password="")).code == 200
        assert (await looker.ask("/?token=wrong-guess", password="")).code == 403
        options, events = (await looker.ask("/options")).body, (await looker.ask("/events")).body
    for secret in (PASSWORD, "wrong-guess", "$2b$"):
        assert secret not in caplog.text
        assert secret.encode() not in options + events


@in_loop
async def test_anybody_may_ask_whether_it_is_well(tmp_path):
    """The probe has no password."""
    async with viewing(tmp_path) as looker:
        assert (await looker.ask("/healthz", password="")).body == b"ok\n"


@in_loop
async def test_the_form_asks_for_nothing_that_is_not_there(tmp_path):
    """Not for mitmweb's icon where it is not, which would be told as an error at each login."""
    async with viewing(tmp_path) as looker:
        form = await looker.ask("/", password="")
        assert b'href="./static/favicon.ico"' in form.body
        assert (await looker.ask("/static/favicon.ico", password="")).code == 200
        assert json.loads((await looker.ask("/events")).body) == []
