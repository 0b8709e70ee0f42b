"""Calls as they are made, one a line, in columns that keep their places as long as they can."""

from datetime import datetime

from apisnoop.calls.call_line import CallerPart, CallLine
from apisnoop.reports.columns import cut, pad
from apisnoop.reports.paint import PLAIN, Paint
from apisnoop.reports.wording import clean

TIME, VERB, STATUS, MILLISECONDS = 12, 8, 6, 8
LEAST_CALLER, LEAST_RESOURCE, LEAST_OBJECT = 40, 20, 20
"""Wide enough for most names, so that the header, which is written once, stays above its column."""
MOST = 60
"""Columns that a name may take before it is cut."""
GAP = "  "
POD_COLOURS = ("cyan", "magenta", "green", "yellow")
NOBODY = CallerPart()


class LiveTable:
    """Lays out one call after another; a column widens when it must, and stays so."""

    def __init__(self, paint: Paint = PLAIN) -> None:
        self._paint = paint
        self._caller, self._resource, self._object = LEAST_CALLER, LEAST_RESOURCE, LEAST_OBJECT
        self._colours: dict[str, str] = {}

    def header(self) -> str:
        """Give the line above all."""
        cells = (
            pad("TIME", TIME),
            pad("NAMESPACE/POD/CONTAINER", self._caller),
            pad("VERB", VERB),
            pad("RESOURCE", self._resource),
            pad("OBJECT", self._object),
            pad("STATUS", STATUS, right=True),
            pad("MS", MILLISECONDS, right=True),
            "CLIENT",
        )
        return self._paint(GAP.join(cells), "dim")

    def line(self, call: CallLine) -> str:
        """Give a call as a line."""
        caller = call.caller or NOBODY
        who, what, which = cut(caller_text(caller), MOST), cut(resource_text(call), MOST), cut(object_text(call), MOST)
        self._caller = max(self._caller, len(who))
        self._resource = max(self._resource, len(what))
        self._object = max(self._object, len(which))
        verb = f"{call.verb} ({call.detail})" if call.detail else call.verb or call.method
        status = str(call.status) if call.status > 0 else "none"
        cells = (
            self._paint(pad(time_text(call.time), TIME), "dim"),
            self._paint(pad(who, self._caller), self._colour(caller)),
            pad(clean(verb), VERB),
            self._paint(pad(what, self._resource), _colour_of(call)),
            pad(which, self._object),
            self._paint(pad(status, STATUS, right=True), "" if 100 <= call.status < 400 else "red"),
            pad(milliseconds_text(call.duration), MILLISECONDS, right=True),
            self._paint(client_text(caller), "dim"),
        )
        return GAP.join(cells).rstrip()

    def _colour(self, caller: CallerPart) -> str:
        """Give every pod a colour of its own, as far as they go."""
        if not self._paint.on:
            return ""
        return self._colours.setdefault(caller.pod_uid, POD_COLOURS[len(self._colours) % len(POD_COLOURS)])


def time_text(time: str) -> str:
    """Write the time of day here, to the millisecond."""
    try:
        return datetime.fromisoformat(time).astimezone().strftime("%H:%M:%S.%f")[:TIME]
    except (ValueError, OverflowError):
        return cut(clean(time), TIME)


def caller_text(caller: CallerPart) -> str:
    """Name who called."""
    return "/".join(clean(part) for part in (caller.namespace, caller.pod, caller.container) if part) or "?"


def resource_text(call: CallLine) -> str:
    """Name what was asked for: deployments.apps/scale, or the path of what is no resource."""
    if not call.resource:
        return clean(call.path.partition("?")[0])
    name = f"{call.resource}.{call.group}" if call.group else call.resource
    return clean(f"{name}/{call.subresource}" if call.subresource else name)


def object_text(call: CallLine) -> str:
    """Name the object, or the namespace of those that were listed."""
    if call.resource == "namespaces" and call.name:
        return clean(call.name)
    if call.name:
        return clean(f"{call.namespace}/{call.name}" if call.namespace else call.name)
    return clean(f"{call.namespace}/") if call.namespace else ""


def milliseconds_text(seconds: float) -> str:
    """Write a duration; empty where it is unknown."""
    if seconds < 0:
        return ""
    return f"{seconds * 1000:.1f}" if seconds < 0.1 else f"{seconds * 1000:,.0f}"


def client_text(caller: CallerPart) -> str:
    """Name the program."""
    return clean(f"{caller.client}/{caller.client_version}" if caller.client_version else caller.client)


def _colour_of(call: CallLine) -> str:
    if call.finding in {"removed", "invalid"}:
        return "red"
    if call.deprecated:
        return "yellow"
    return {"alpha": "magenta", "beta": "cyan"}.get(call.level, "")
