"""Which kind of recording an input is, told from its beginning: audit log, HAR, or what a reader knows."""

import re
from enum import Enum
from typing import NamedTuple

import msgspec

from apisnoop.calls.audit.envelopes import events_in_line
from apisnoop.calls.inputs.compression import unread_compression_of
from apisnoop.calls.inputs.source import HEAD
from apisnoop.calls.reader import Reader, find_reader, reader_named
from apisnoop.decoding import decoder_of

AUDIT = "audit"
HAR = "har"
AUTO = "auto"

_HAR = re.compile(rb'\{\s*"log"\s*:\s*\{\s*"(?:version|creator|browser|pages|entries|comment)"\s*:')
_BLANK = b" \t\r\n\xef\xbb\xbf"
TRUNCATED = "Input data was truncated"
"""How msgspec names the end of a value that has not ended."""


class Layout(Enum):
    """How the records lie in an input."""

    LINES = "lines"
    """One record a line; the position of an import is a byte."""
    DOCUMENT = "document"
    """JSON that goes over several lines; the position is a number of records."""
    READER = "reader"
    """Known to a reader of a component; the position is a number of records."""


class Format(NamedTuple):
    """A kind of recording."""

    name: str
    layout: Layout
    reader: Reader | None = None


def recognise(head: bytes, wanted: str = AUTO) -> Format | None:
    """Tell the format of an input from its beginning (see `Source.head_with_line`), or None if it is none known.

    `wanted` is `audit`, `har` or the name of a reader where the user knows better than this function.
    """
    text = head.lstrip(_BLANK)
    if wanted == HAR or (wanted == AUTO and _HAR.match(text)):
        return Format(HAR, Layout.DOCUMENT)
    if wanted in (AUTO, AUDIT) and (layout := _layout_of_json(text)) is not None:
        return Format(AUDIT, layout)
    if wanted == AUDIT or (wanted == AUTO and _has_event(head)):
        return Format(AUDIT, Layout.LINES)
    if wanted == AUTO:
        found = None if unread_compression_of(head) else find_reader(head)
        return Format(found[0], Layout.READER, found[1]) if found else None
    reader = reader_named(wanted)
    return Format(wanted, Layout.READER, reader) if reader else None


def _layout_of_json(text: bytes) -> Layout | None:
    """Tell how JSON lies in an input that begins with it; None if it does not."""
    line, feed, _ = text.partition(b"\n")
    line = line.strip()
    if line[:1] not in (b"{", b"["):
        return None
    problem = _problem_of(line)
    if line.startswith(b"["):
        return Layout.DOCUMENT if problem in ("", TRUNCATED) else None
    if not feed:
        return Layout.DOCUMENT if len(text) >= HEAD else Layout.LINES
    # A printer breaks lines behind these; a log that was cut off in the middle of its first line hardly ends so.
    is_broken = problem == TRUNCATED and line.endswith((b"{", b"[", b",", b":"))
    return Layout.DOCUMENT if is_broken else Layout.LINES


def _problem_of(line: bytes) -> str:
    try:
        decoder_of(msgspec.Raw).decode(line)
    except msgspec.DecodeError as error:
        return str(error)
    return ""


def _has_event(head: bytes) -> bool:
    """Tell whether a whole line of the beginning holds an audit event behind a prefix."""
    lines = head.split(b"\n")
    return any(not isinstance(event, str) for line in lines if b"{" in line for event in events_in_line(line))
