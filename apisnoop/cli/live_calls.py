"""Writing what the nodes' streams bring: calls to standard output, and what is missing to standard error."""

import click
import msgspec

from apisnoop.calls.call_line import CallLine
from apisnoop.cli.pulling import agents_to_pull
from apisnoop.cli.report import terminal
from apisnoop.cli.selection import label_filter
from apisnoop.cli.streams import Event, Line, Lost, Opened, Said, Streams
from apisnoop.cli.unknown_resources import unknown_resources
from apisnoop.cli.watched import Watched
from apisnoop.cluster_api import Api
from apisnoop.decoding import decoder_of
from apisnoop.fleet.call_filter import CallFilter
from apisnoop.reports.live import LiveTable
from apisnoop.reports.paint import Paint
from apisnoop.reports.wording import clean, counted


class LeftOut(msgspec.Struct, frozen=True):
    """What a node sends in place of calls that it could not send in time."""

    left_out: int = 0


def show_calls(api: Api, wanted: CallFilter, selector: str | None, place: str | None, *, as_json: bool) -> None:
    """Show the calls that pass a filter, and those of pods with the labels asked for, without end.

    `place` is the namespace of the installation, if only that one is to be looked into. Raises ApisnoopError for what
    is not there.
    """
    if selector is not None:
        wanted = label_filter(api, wanted, selector)
    watched = Watched(api, wanted.namespace, wanted.objects, selector)
    watched.demand()
    agents = agents_to_pull(api, place)
    streams = Streams(api, agents, place)
    try:
        show = LiveCalls(wanted, as_json=as_json)
        streams.ask_aside(lambda: watched.unrecorded(agents))
        streams.ask_aside(lambda: unknown_resources(api, wanted.resources))
        for event in streams.events():
            show(event)
    finally:
        streams.close()


class LiveCalls:
    """Shows the calls that pass a filter, as a table that goes on or as JSON lines."""

    def __init__(self, wanted: CallFilter, *, as_json: bool) -> None:
        self._wanted = wanted
        self._table = None if as_json else LiveTable(Paint(terminal(None)[1]))
        if self._table:
            click.echo(self._table.header(), color=True)

    def __call__(self, event: Event) -> None:
        """Take one event."""
        match event:
            case Line():
                self._line(event.node, event.text)
            case Lost():
                why = f"{clean(event.why)}; its calls are not shown until it is back, but recorded if it can"
                click.echo(f"apisnoop: node {clean(event.node)}: the stream is lost: {why}", err=True)
            case Said():
                click.echo(f"apisnoop: {event.text}", err=True)
            case Opened(again=True):
                click.echo(f"apisnoop: node {clean(event.node)} is back", err=True)

    def _line(self, node: str, text: bytes) -> None:
        try:
            left_out = decoder_of(LeftOut).decode(text).left_out
            call = None if left_out else decoder_of(CallLine).decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            click.echo(f"apisnoop: node {clean(node)} has sent a line that is no call", err=True)
            return
        if call is None:
            said = f"{counted(left_out, 'call')} came too fast to be shown; they are recorded"
            click.echo(f"apisnoop: node {clean(node)}: {said}", err=True)
        elif self._wanted.passes(call):
            click.echo(self._table.line(call) if self._table else text, color=True)
