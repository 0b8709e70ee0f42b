"""What becomes of a signal."""

import asyncio
import signal

import pytest

from apisnoop_addons.run.relay import Relay


class Command:
    """Notes what it is sent."""

    def __init__(self) -> None:
        self.sent: list[int] = []

    def send(self, number: int) -> None:
        self.sent.append(number)


def test_the_command_gets_what_the_terminal_did_not_send():
    """Ctrl-C has reached it already; that somebody pressed it is remembered."""

    async def go() -> Relay:
        relay = Relay(asyncio.get_running_loop())
        relay.child = Command()
        relay.receive(signal.SIGTERM, False)
        relay.receive(signal.SIGINT, True)
        relay.receive(signal.SIGWINCH, False)
        await asyncio.sleep(0)
        return relay

    relay = asyncio.run(go())
    assert relay.child is not None
    assert relay.child.sent == [signal.SIGTERM, signal.SIGWINCH]  # type: ignore[attr-defined]
    assert relay.interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_before_there_is_a_command_a_signal_ends_the_run(number):
    """Whoever sent it."""

    async def go(relay: Relay) -> None:
        relay.preparing = asyncio.current_task()
        relay.receive(signal.SIGWINCH, False)
        relay.receive(number, True)
        await asyncio.sleep(60)

    with asyncio.Runner() as runner:
        relay = Relay(runner.get_loop())
        with pytest.raises(asyncio.CancelledError):
            runner.run(go(relay))
    assert relay.ended_by == number
