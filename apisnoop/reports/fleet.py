"""The state of an installation, as tables and as JSON."""

import msgspec

from apisnoop.fleet.images import image_text
from apisnoop.fleet.status import UNNOTICED, WELL, NodeState, PodState, Status
from apisnoop.moments import seconds_of
from apisnoop.node.status import DRAINING, INTERCEPTING, WAITING
from apisnoop.reports.columns import Column, render_columns
from apisnoop.reports.paint import PLAIN, Paint
from apisnoop.reports.table.blocks import join_blocks
from apisnoop.reports.wording import clean, counted, number
from apisnoop.trust_mode import Mode

GOOD, BAD, PASSING = "green", "red", "yellow"
STATE_COLOURS = {INTERCEPTING: GOOD, WELL: GOOD, WAITING: PASSING, DRAINING: PASSING, UNNOTICED: PASSING}
NODE_COLUMNS = (
    Column("node"),
    Column("state"),
    Column("recorded", right=True),
    Column("asked for", right=True),
    Column("lag", right=True),
    Column("version"),
    Column("why", shrinks=True, least=20),
)
POD_COLUMNS = (
    Column("namespace"),
    Column("pod", shrinks=True, least=16),
    Column("node", shrinks=True, least=8),
    Column("wanted"),
    Column("state"),
    Column("for", right=True),
    Column("calls", right=True),
    Column("gaps", right=True),
    Column("not seen", right=True),
    Column("why", shrinks=True, least=20),
)


def render_status(status: Status, now: float, width: int | None = None, paint: Paint = PLAIN) -> str:
    """Render everything known, a summary first."""
    blocks = [_summary(status, now)]
    if status.nodes:
        blocks.append(_table(NODE_COLUMNS, [_node_row(one) for one in status.nodes], width, paint))
    if status.pods:
        blocks.append(_table(POD_COLUMNS, [_pod_row(one, now) for one in status.pods], width, paint))
    blocks.append([f"not readable: {clean(line)}" for line in status.unreadable])
    return join_blocks(blocks)


def render_json(status: Status) -> str:
    """Render everything known for programs."""
    document = {**msgspec.to_builtins(status), "pods": [_pod_document(one) for one in status.pods]}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _pod_document(pod: PodState) -> dict[str, object]:
    return {**msgspec.to_builtins(pod), "not_seen": pod.not_seen}


def _summary(status: Status, now: float) -> list[str]:
    if not status.installed:
        return ["apisnoop is not installed in this cluster: kubectl apisnoop install"]
    answering = sum(1 for node in status.nodes if node.version)
    recorded = sum(node.recorded for node in status.nodes)
    where = f"apisnoop in namespace {status.namespace} (release {status.release})"
    lines = [
        f"{where}: {answering} of {counted(len(status.nodes), 'node')} answer, {counted(recorded, 'pod')} recorded"
    ]
    if status.draining:
        lines.append("It was told to let go of everything: kubectl apisnoop uninstall, or install to go on")
    lines += [f"{clean(image_text(one))}: kubectl apisnoop doctor" for one in status.images]
    return [*lines, certificate_line(status, now)]


def certificate_line(status: Status, now: float) -> str:
    """Say who signed the certificate that pods are shown, and until when it holds."""
    known = status.certificate
    if known is None:
        return "Certificate: unknown, since it may not be read who signed it"
    match known.mode:
        case Mode.CSR:
            who = f"signed by the cluster ({clean(known.signer)})"
        case Mode.OWN_CA:
            who = f"of our own authority, for pods created with it only ({clean(known.reason)})"
        case Mode.NONE:
            return f"Certificate: none, nothing can be recorded: {clean(known.reason)}"
        case _:
            return "Certificate: not there yet"
    ends = f", until {clean(known.not_after)} ({_left(known.not_after, now)})" if known.not_after else ""
    return f"Certificate: {who}{ends}"


def _left(moment: str, now: float) -> str:
    seconds = seconds_of(moment)
    if seconds is None:
        return "no time"
    return f"{duration_text(seconds - now, rounded=True)} left" if seconds > now else "over"


def _table(
    columns: tuple[Column, ...], rows: list[tuple[list[str], str]], width: int | None, paint: Paint
) -> list[str]:
    """Lay out rows, each with the colour of its state; a column that is empty throughout is left out."""
    kept = [at for at, _ in enumerate(columns) if any(row[at] for row, _ in rows)]
    lines = render_columns([columns[at] for at in kept], [[row[at] for at in kept] for row, _ in rows], width, PLAIN)
    return [paint(lines[0], "dim"), *(paint(line, colour) for line, (_, colour) in zip(lines[1:], rows, strict=True))]


def _node_row(node: NodeState) -> tuple[list[str], str]:
    versions = [version for version in dict.fromkeys((node.version, node.proxy_version)) if version]
    return [
        clean(node.name),
        node.state,
        number(node.recorded) if node.version else "",
        "" if node.asked is None else number(node.asked),
        "" if node.lag is None else f"{node.lag * 1000:.0f} ms",
        clean(" / ".join(versions)),
        clean(node.why),
    ], "" if node.state == WELL and not node.why else STATE_COLOURS.get(node.state, BAD) if node.state != WELL else BAD


def _pod_row(pod: PodState, now: float) -> tuple[list[str], str]:
    since = seconds_of(pod.recorded_since or pod.since or "")
    unseen = [f"{number(count)} {reason}" for reason, count in sorted(pod.unseen.items())]
    if pod.existing:
        unseen.append(f"{counted(pod.existing, 'older connection')}: --reset")
    why = "; ".join([*([pod.why] if pod.why else []), *unseen, *([f"until {pod.until}"] if pod.until else [])])
    wanted = "" if pod.wanted is None else "yes" if pod.wanted else "no"
    return [
        clean(pod.namespace),
        clean(pod.name),
        clean(pod.node),
        wanted,
        clean(pod.state),
        "" if since is None else duration_text(now - since),
        "" if pod.calls is None else number(pod.calls),
        f"{number(pod.gaps)} ({duration_text(pod.missed)})" if pod.gaps else "",
        number(pod.not_seen) if pod.calls is not None or pod.not_seen else "",
        clean(why),
    ], "" if pod.state == INTERCEPTING else STATE_COLOURS.get(pod.state, BAD)


def duration_text(seconds: float, *, rounded: bool = False) -> str:
    """Write a time span as kubectl does, which counts whole units: 45s, 12m, 5h, 3d; or to the nearest one."""
    whole = max(0, int(seconds))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if whole >= 2 * size:
            return f"{(whole + size // 2 if rounded else whole) // size}{unit}"
    return f"{whole}s"
