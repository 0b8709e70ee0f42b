"""What is no API call is not tracked, where nobody but us has rules; each text is the golden itself."""

import time

import msgspec
import pytest

from apisnoop_tproxy import exemption
from apisnoop_tproxy.nft import RuleError, apply_rules
from apisnoop_tproxy.others import Others
from apisnoop_tproxy.rules import UNTRACKED
from apisnoop_tproxy.untracked import render_untracked
from tests.looped import in_loop
from tests.tproxy.neighbour import API, API6, DESTINED, OTHER, THERE, THERE6, Ours, is_there
from tests.tproxy.test_rules import DESTINATIONS, GOLDENS

ELSEWHERE = (THERE, 6443)
"""Where the API server is found, too, from some moment on: at another port."""
MESH = """
table ip mesh {
    chain output {
        type nat hook output priority -100; policy accept;
        tcp dport 7999 redirect to :443
    }
}
"""


@pytest.mark.parametrize(("name", "destinations"), [("both", DESTINATIONS), ("none", [])])
def test_the_table(name, destinations, request):
    """The table is what the golden file shows, whatever is known of the API."""
    text = render_untracked(destinations, 5.0)
    golden = GOLDENS / f"untracked-{name}.nft"
    if request.config.getoption("--regenerate"):
        golden.write_text(text)
    assert text == golden.read_text()


@in_loop
async def test_only_connections_to_the_api_are_tracked(neighbour, exempting):
    """The redirect alone has the kernel track all. The API's are still led to the listeners, by IPv4 and IPv6."""
    await exempting.presence.act(exempting.redirect, DESTINED)
    assert neighbour.is_tracked()
    assert neighbour.is_tracked(THERE6)
    await exempting.again()
    assert not neighbour.is_tracked()
    assert not neighbour.is_tracked(THERE6)
    assert not neighbour.is_tracked(OTHER, 443)
    assert exempting.led()()
    assert exempting.led(API6)()


@in_loop
async def test_an_address_that_comes_to_the_api_later_is_tracked(neighbour, exempting):
    """From the moment on from which it is led; at a port that the table looks at, nothing else changes."""
    await exempting.begin()
    destinations = [*DESTINED, (OTHER, 443)]
    exempting.presence.renew(exempting.redirect, destinations)
    assert exempting.led((OTHER, 443))()
    assert not neighbour.is_tracked()
    destinations = [*destinations, ELSEWHERE]
    exempting.presence.renew(exempting.redirect, destinations)
    assert neighbour.is_tracked()
    assert exempting.led(ELSEWHERE)()
    await exempting.again(destinations)
    assert not neighbour.is_tracked()
    assert exempting.led(ELSEWHERE)()


@in_loop
async def test_whoever_comes_with_rules_has_all_tracked_from_the_next_renewal_on(podlike, neighbour, exempting):
    """A mesh's connections go its way then; when they and it have gone, other traffic is left untracked again."""
    await exempting.begin()
    podlike.run(lambda: apply_rules(MESH))
    exempting.presence.renew(exempting.redirect, DESTINED)
    assert neighbour.is_tracked()
    with podlike.server(("127.0.0.1", 443)) as mesh:
        client, near = podlike.connect((THERE, 7999)), podlike.accept(mesh)
    await exempting.again()
    assert neighbour.is_tracked()
    podlike.run(lambda: apply_rules("delete table ip mesh"))
    await exempting.again()
    assert neighbour.is_tracked()  # what it has redirected is still translated
    client.sendall(b"still here")
    assert near.recv(16) == b"still here"
    client.close()
    near.close()
    await exempting.again()
    assert not neighbour.is_tracked()


@in_loop
async def test_where_others_have_rules_already_nothing_is_added(podlike, neighbour, exempting):
    """They are seen before."""
    podlike.run(lambda: apply_rules(MESH))
    await exempting.begin()
    assert not is_there(podlike)
    assert neighbour.is_tracked()


@in_loop
async def test_it_runs_out_by_itself(neighbour, exempting):
    """As the redirect does when its agent has died: whoever comes with rules then is not hindered."""
    exempting.redirect = msgspec.structs.replace(exempting.redirect, lease=0.5)
    await exempting.begin()
    assert not neighbour.is_tracked()
    deadline = time.monotonic() + 10
    while not neighbour.is_tracked():
        assert time.monotonic() < deadline
    await exempting.again()
    assert not neighbour.is_tracked()


@in_loop
async def test_open_connections_through_the_proxy_go_on_whatever_happens(podlike, neighbour, exempting):
    """When it begins and ends, when redirects end, when the API moves, when the table is replaced or goes."""
    await exempting.presence.act(exempting.redirect, DESTINED)
    connections = [exempting.led(), exempting.led(API6)]

    def all_go_on():
        return all(goes_on() for goes_on in connections)

    await exempting.again()
    assert not neighbour.is_tracked()
    connections.append(exempting.led())
    assert all_go_on()
    for destinations in ([], DESTINED, [API6], DESTINED, [*DESTINED, ELSEWHERE]):
        exempting.presence.renew(exempting.redirect, destinations)
        assert all_go_on()
    connections.append(exempting.led(ELSEWHERE))
    assert all_go_on()
    await exempting.again([*DESTINED, ELSEWHERE])
    assert not neighbour.is_tracked()
    assert all_go_on()
    podlike.run(lambda: apply_rules(MESH))
    exempting.presence.renew(exempting.redirect, DESTINED)
    assert all_go_on()
    podlike.run(lambda: apply_rules("delete table ip mesh"))
    await exempting.begin([*DESTINED, ELSEWHERE])
    assert not neighbour.is_tracked()
    assert all_go_on()
    await exempting.presence.flush()
    assert neighbour.is_tracked()
    assert all_go_on()


@in_loop
async def test_what_an_earlier_agent_has_led_elsewhere_keeps_it_away(podlike, neighbour, exempting):
    """Connections to an address that is not the API's any more would not be translated."""
    await exempting.presence.act(exempting.redirect, DESTINED)
    goes_on = exempting.led()
    later = Ours(podlike)
    try:
        await later.begin([API6])
        assert not is_there(podlike)
        assert goes_on()
        await later.begin([API, API6])
        assert not neighbour.is_tracked()
        assert goes_on()
    finally:
        later.close()


@in_loop
async def test_it_goes_where_the_other_table_goes(podlike, exempting):
    """With its removal, and with its replacement."""
    for end in (
        exempting.presence.remove,
        exempting.presence.flush,
        lambda: exempting.presence.act(exempting.redirect, DESTINED),
    ):
        await exempting.begin()
        assert is_there(podlike)
        await end()
        assert not is_there(podlike)
    await exempting.presence.remove()
    assert podlike.table() is None


@in_loop
async def test_removed_by_hand_it_comes_again_and_the_redirect_stays(podlike, neighbour, exempting):
    """The other table's leases do not depend on it."""
    await exempting.begin()
    podlike.run(lambda: apply_rules(f"delete table inet {UNTRACKED}"))
    exempting.presence.renew(exempting.redirect, DESTINED)
    assert neighbour.is_tracked()
    assert exempting.led()()
    await exempting.again()
    assert not neighbour.is_tracked()


@in_loop
async def test_an_address_that_was_the_apis_meanwhile_stays_tracked(podlike, neighbour, exempting):
    """What was led there before the table came is still translated."""
    await exempting.presence.act(exempting.redirect, DESTINED)
    exempting.presence.renew(exempting.redirect, [*DESTINED, ELSEWHERE])
    goes_on = exempting.led(ELSEWHERE)
    await exempting.again()
    assert not neighbour.is_tracked()
    assert goes_on()


@pytest.mark.parametrize("error", [RuleError("no such expression"), OSError("no memory")])
@in_loop
async def test_a_kernel_that_cannot_tracks_all(monkeypatch, neighbour, exempting, error):
    """That keeps nobody from recording."""

    def refuse(*_):
        raise error

    await exempting.presence.act(exempting.redirect, DESTINED)
    monkeypatch.setattr(exemption, "render_untracked", refuse)
    await exempting.again()
    assert neighbour.is_tracked()
    assert exempting.led()()
    monkeypatch.undo()
    await exempting.again()
    assert not neighbour.is_tracked()
    error = OSError("no memory")
    monkeypatch.setattr(Others, "have_rules", refuse)
    exempting.presence.renew(exempting.redirect, DESTINED)
    assert neighbour.is_tracked()
    assert exempting.led()()
