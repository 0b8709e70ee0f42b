"""The ledger of a node: counts calls, notes when each pod was recorded, and once a second writes both to the store.

Calls are counted in a batch that is bounded by itself, and written in a thread: neither a slow disk nor a hostile pod
makes it grow or delays a call. What a second has brought may be lost when the proxy is killed; the recordings then tell
from when on.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from apisnoop.calls.call import Call
from apisnoop.calls.call_line import encode_call
from apisnoop.calls.caller import Caller
from apisnoop.calls.recording import INTENDED, NOT_SEEN, POD_ENDED, Recording
from apisnoop.calls.tally import Loss, TallyBatch
from apisnoop.errors import ApisnoopError
from apisnoop.node.status import ProxyPod, ProxyStatus
from apisnoop.store.caps import Caps
from apisnoop.store.recordings import end_recordings, save_recordings
from apisnoop.store.retention import roll_up
from apisnoop.store.store import CatalogueFacts, Store
from apisnoop.store.window import HOUR
from apisnoop_addons.writing_thread import WritingThread

FLUSH_SECONDS = 1.0
"""How long a call may be in memory alone."""
STUCK_SECONDS = 60.0
"""After which a disk that still writes what it was given is one that does not answer; a snapshot may take long, too."""
RETENTION_DAYS = 7
"""How long replicas of a workload are told apart."""
STORE_BYTES = 300_000_000
"""Some three million tallies. The chart's volume has 1 GiB: for the store, its log, and a snapshot on its way."""
MOST_LINES = 10_000
"""Calls that may wait for someone who watches; further ones are left out, and that is said."""


MOST_PODS = 2_000
"""Pods of which totals are kept; of those that are recorded no more the oldest go first."""


@dataclass(slots=True)
class Seen:
    """What has been seen of a pod in all its recordings, and what lies between them."""

    since: float
    calls: int = 0
    unseen: Counter[str] = field(default_factory=Counter)
    gaps: int = 0
    missed: float = 0.0
    """Seconds of the gaps."""
    gap: float | None = None
    """When the last gap began."""
    reason: str = ""
    """Of the last gap."""
    lapsed: tuple[float, str] | None = None
    """When recording has ended although it was wanted, and why, as long as it has not begun again."""

    def end(self, at: float, reason: str) -> None:
        """Note the end of a recording."""
        self.lapsed = (at, reason) if reason and reason not in INTENDED else None

    def resume(self, now: float) -> None:
        """Note that recording begins again: so long was the gap."""
        if self.lapsed is not None:
            self.gap, self.reason = self.lapsed
            self.gaps, self.missed, self.lapsed = self.gaps + 1, self.missed + max(0.0, now - self.gap), None


class Ledger:
    """Use: `open`, then the rest at any time, `close`; in one event loop."""

    def __init__(
        self,
        db: Path,
        *,
        days: int = RETENTION_DAYS,
        most_bytes: int = STORE_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """After `days` calls count for the workload of their pod (see `apisnoop.store.retention`).

        From `most_bytes` on the store tells no new callers and namespaces apart (see `apisnoop.store.caps`).
        """
        self.catalogue: CatalogueFacts | None = None
        self._trouble = ""
        self._written = time.monotonic()
        """When the store last took something, or refused it."""
        self._db = db
        self._caps = Caps(bytes=most_bytes)
        self._hours = days * 24
        self._rolled_up = 0
        self._clock = clock
        self._thread = WritingThread("ledger")
        self._store: Store | None = None
        self._batch = TallyBatch()
        self._unsaved = TallyBatch()
        self._recordings: dict[str, Recording] = {}
        self._confirmed = 0.0
        """A process that is stopped and goes on has recorded nothing meanwhile, and does not know it at once."""
        self._seen: dict[str, Seen] = {}
        self._losses = 0
        self._ended: list[Recording] = []
        self._unsaved_recordings: dict[tuple[str, float], Recording] = {}
        self._watchers: set[Watcher] = set()

    async def open(self) -> None:
        """Open the store, and close the recordings that an earlier proxy has left open. Raises ApisnoopError."""
        await self._thread.finish(self._open)

    async def run(self) -> None:
        """Write once a second, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            if self._thread.is_free:
                self._thread.begin(self._work())

    @property
    def trouble(self) -> str:
        """Why the store did not take what was last given to it, or that it does not answer; it is given again."""
        waiting = time.monotonic() - self._written
        return f"store {self._db} has taken nothing for {waiting:.0f} s" if waiting > STUCK_SECONDS else self._trouble

    async def snapshot(self, path: Path) -> None:
        """Write all that is known now to a new store at `path`. Raises ApisnoopError."""
        await self._thread.finish(self._work())
        await self._thread.finish(lambda: self._copy(path))

    async def close(self) -> None:
        """Write what is left."""
        for uid in list(self._recordings):
            self._end(uid, "the proxy was stopped")
        await self._thread.finish(self._work())
        await self._thread.finish(self._close)
        self._thread.end()

    # -- what is recorded -----------------------------------------------------------------------------------------

    def record(self, call: Call) -> None:
        """Take a call."""
        self._batch.add(call)
        seen = self._seen.get(call.caller.pod_uid)
        if seen is not None:
            seen.calls += 1
        if self._watchers:
            line = encode_call(call)
            for watcher in self._watchers:
                watcher.take(line)

    def unseen(self, caller: Caller, reason: str) -> None:
        """Count a connection that could not be read."""
        who = f"{caller.namespace}/{caller.pod}" + (f" container {caller.container}" if caller.container else "")
        self._batch.lose(Loss(who, f"{NOT_SEEN}{reason}"), at=self._clock())
        self._losses += 1
        seen = self._seen.get(caller.pod_uid)
        if seen is not None:
            seen.unseen[reason] += 1

    def begin(self, caller: Caller) -> None:
        """Note that all new connections of a pod are recorded from now on."""
        now = self._clock()
        self._end(caller.pod_uid, "")
        self._recordings[caller.pod_uid] = Recording(
            caller.node, caller.namespace, caller.pod, caller.pod_uid, since=now, until=now
        )
        seen = self._seen.pop(caller.pod_uid, None) or Seen(now)
        seen.resume(now)
        self._seen[caller.pod_uid] = seen  # at the end, as the latest
        if len(self._seen) > MOST_PODS:
            self._seen.pop(next((uid for uid in self._seen if uid not in self._recordings), ""), None)

    def confirm(self) -> None:
        """Note that this process runs: what is being recorded is recorded up to now."""
        self._confirmed = self._clock()

    def end(self, caller: Caller, reason: str, at: float | None = None) -> None:
        """Note that they no longer are, and why; `at` is since when, if that is not now."""
        self._end(caller.pod_uid, reason, at)

    def _end(self, uid: str, reason: str, at: float | None = None) -> None:
        recording = self._recordings.pop(uid, None)
        if reason == POD_ENDED:
            self._seen.pop(uid, None)
        if recording is not None:
            until = max(recording.since, self._clock() if at is None else at)
            if seen := self._seen.get(uid):
                seen.end(until, reason)
            self._ended.append(msgspec.structs.replace(recording, until=until, ended=reason))

    def status(self, node: str, version: str, connections: Mapping[str, int]) -> ProxyStatus:
        """Say what is being recorded; `connections` are those open now, by the pod's UID."""
        pods = tuple(_told(one, self._seen[uid], connections.get(uid, 0)) for uid, one in self._recordings.items())
        return ProxyStatus(node, version, pods, self._losses, self.trouble)

    # -- who watches ----------------------------------------------------------------------------------------------

    def watch(self) -> "Watcher":
        """Begin to hand out each call as a JSON line."""
        watcher = Watcher(self._watchers.discard)
        self._watchers.add(watcher)
        return watcher

    # -- in the thread --------------------------------------------------------------------------------------------

    def _work(self) -> Callable[[], None]:
        batch, self._batch = self._batch, TallyBatch()
        ended, self._ended = self._ended, []
        going_on = [
            msgspec.structs.replace(one, until=max(one.since, self._confirmed)) for one in self._recordings.values()
        ]
        return lambda: self._write(batch, [*ended, *going_on])

    def _open(self) -> None:
        self._store = Store.open(self._db, caps=self._caps)
        with self._store.transaction():
            end_recordings(self._store.connection)
        self._written = time.monotonic()

    def _write(self, batch: TallyBatch, recordings: list[Recording]) -> None:
        self._unsaved.merge(batch)
        self._unsaved_recordings |= {(one.pod_uid, one.since): one for one in recordings}
        if self._store is None:
            return
        try:
            with self._store.transaction():
                self._store.add(self._unsaved, catalogue=self.catalogue)
                save_recordings(self._store.connection, self._unsaved_recordings.values())
        except ApisnoopError as error:
            self._trouble = str(error)
        else:
            self._unsaved = TallyBatch()
            self._unsaved_recordings = {}
            self._trouble = self._forget_pods(self._store)
        self._written = time.monotonic()

    def _forget_pods(self, store: Store) -> str:
        """Once an hour let old calls count for workloads; give why that failed, which the next hour mends."""
        before = int(self._clock() // HOUR) - self._hours
        if before <= self._rolled_up:
            return ""
        self._rolled_up = before
        try:
            roll_up(store, before)
        except ApisnoopError as error:
            return str(error)
        return ""

    def _copy(self, path: Path) -> None:
        if self._store is not None:
            self._store.copy_to(path)

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()


def _told(recording: Recording, seen: Seen, connections: int) -> ProxyPod:
    return ProxyPod(
        recording.namespace,
        recording.pod,
        recording.pod_uid,
        calls=seen.calls,
        connections=connections,
        unseen=dict(seen.unseen),
        since=_moment(seen.since),
        gaps=seen.gaps,
        missed=seen.missed,
        last_gap=_moment(seen.gap) if seen.gap is not None else None,
        gap_reason=seen.reason,
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


class Watcher:
    """Hands out calls as they are made, with `{"left_out": N}` where they came too fast to be read."""

    def __init__(self, forget: "Callable[[Watcher], None]") -> None:
        self._forget = forget
        self._lines: deque[bytes] = deque()
        self._left_out = 0
        self._more = asyncio.Event()
        self._closed = False

    def take(self, line: bytes) -> None:
        """Keep a line until it is asked for, unless too many wait already."""
        if len(self._lines) >= MOST_LINES:
            self._left_out += 1
            return
        self._lines.append(line)
        self._more.set()

    async def next(self) -> bytes:
        """Wait for the next line; empty once closed."""
        while not self._lines and not self._closed:
            self._more.clear()
            await self._more.wait()
        if self._closed:
            return b""
        line = self._lines.popleft()
        if self._left_out:
            line, self._left_out = b'{"left_out": %d}\n' % self._left_out + line, 0
        return line

    def close(self) -> None:
        """End it; what waits is dropped."""
        self._closed = True
        self._forget(self)
        self._more.set()
