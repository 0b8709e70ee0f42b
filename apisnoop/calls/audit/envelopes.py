"""Opening the envelopes of audit events: lists, CloudWatch, diagnostic records, Cloud Logging, prefixes of collectors.

Nothing is configured: each envelope is known by its fields. What holds no event is told apart from what is no JSON.
"""

import re
from collections.abc import Iterator
from itertools import chain

import msgspec

from apisnoop.calls.audit import gke
from apisnoop.calls.audit.event import NOTHING, NULL, Record, decoder
from apisnoop.calls.json_stream import JsonStream
from apisnoop.decoding import decoder_of

DEEPEST = 4
"""Envelopes inside one another; the deepest known are three (event hub, diagnostic record, string)."""
LONGEST_PREFIX = 400
_PREFIX = re.compile(rb"[^{}]*?(?=\{\s*\")")

NOT_JSON = "not-json"
NOT_AUDIT = "not-audit"


class Properties(msgspec.Struct):
    """What AKS puts around an event."""

    log: msgspec.Raw = NOTHING


properties_decoder = decoder_of(Properties)
text_decoder = decoder_of(str)


def events_in_line(line: bytes) -> Iterator[Record | str]:
    """Give the events of one line of a log, and for each part without one the reason: `NOT_JSON` or `NOT_AUDIT`.

    A line may hold several JSON values one after another (Firehose), or begin with a prefix of a log collector
    (CloudWatch's export, a container runtime, syslog).
    """
    try:
        yield from events_in(decoder.decode(line))
    except msgspec.DecodeError as error:
        if isinstance(error, msgspec.ValidationError) and line.lstrip().startswith(b"{"):
            yield NOT_AUDIT
        else:
            yield from _events_in_odd_line(line)


def _events_in_odd_line(line: bytes) -> Iterator[Record | str]:
    prefix = _PREFIX.match(line[:LONGEST_PREFIX])
    if prefix is None:
        yield NOT_JSON
        return
    stream = JsonStream(containers=False)
    values = [*stream.feed(line[prefix.end() :])]
    for value in values:
        yield from events_in_value(value)
    if not values or stream.is_cut_off:
        yield NOT_JSON


def events_in_value(value: bytes | msgspec.Raw, depth: int = 0) -> Iterator[Record | str]:
    """Give the events in one JSON value, as `events_in_line` does."""
    try:
        yield from events_in(decoder.decode(value), depth)
    except msgspec.ValidationError:
        yield NOT_AUDIT
    except msgspec.DecodeError:
        yield NOT_JSON


def events_in(record: Record, depth: int = 0) -> Iterator[Record | str]:
    """Give the events in a decoded record: itself, or what its envelope holds."""
    if record.stage:
        yield record
        return
    held = _held(record) if depth < DEEPEST else []
    for raw in held:
        yield from _events_in_held(raw, depth + 1)
    event = gke.event_of(record) if record.protoPayload else None
    if event is not None:
        yield event
    elif not held:
        yield NOT_AUDIT


def _held(record: Record) -> list[msgspec.Raw]:
    properties = properties_decoder.decode(record.properties) if record.properties else Properties()
    texts = (record.message, record.at_message, record.log, properties.log)
    lists = chain(record.items, record.records, record.logEvents, record.events)
    return [*lists, *(text for text in texts if text and text != NULL)]


def _events_in_held(raw: msgspec.Raw, depth: int) -> Iterator[Record | str]:
    """Open a value inside an envelope: an object, or a string that holds one."""
    if bytes(memoryview(raw)[:1]) != b'"':
        yield from events_in_value(raw, depth)
        return
    text = text_decoder.decode(raw).strip()
    if text.startswith("{"):
        yield from events_in_value(text.encode(), depth)
    else:
        yield NOT_AUDIT
