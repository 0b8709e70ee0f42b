"""How long `apisnoop coverage` takes, start to end, on a store of 1,000,000 tallies: two days of a busy cluster.

Every operation of the newest release is called, by up to 500 callers in 48 hours; how often follows a power law with
stable operations first, as traffic does. The store is made through the same code as any recording.
"""

import random
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from apisnoop.calls.caller import Caller
from apisnoop.calls.tally import TallyBatch
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.match import Match
from apisnoop.operations.operation import Level
from apisnoop.operations.source import load_catalogue
from apisnoop.store.store import Store
from benchmarks.row import Row, median_seconds

PROGRAM = Path(sys.executable).with_name("apisnoop")
TALLIES = 1_000_000
BATCH = 100_000
CALLERS, HOURS = 500, 48
START = 1_780_272_000.0
"""2026-06-01 00:00:00 UTC."""
VARIANTS = {"apisnoop coverage": [], "apisnoop coverage --by workload": ["--by", "workload"]}


def run() -> list[Row]:
    """Return the wall-clock seconds of each variant, as a user waits for it."""
    with TemporaryDirectory(prefix="apisnoop-bench-") as folder:
        path = Path(folder) / "apisnoop.db"
        fill(path, TALLIES)
        note = f"{TALLIES:,} tallies, {path.stat().st_size / 1e6:.0f} MB"
        return [
            Row(name, median_seconds(partial(report, path, options)), "s", 2.0, 0.5, at_least=False, note=note)
            for name, options in VARIANTS.items()
        ]


def report(path: Path, options: list[str]) -> None:
    """Run the installed entry point once, its output thrown away."""
    subprocess.run([PROGRAM, "coverage", "--db", path, *options], check=True, stdout=subprocess.DEVNULL)


def fill(path: Path, tallies: int) -> None:
    """Make a store of exactly so many tallies. Raises RuntimeError if its caps folded some together."""
    catalogue = load_catalogue(None)
    callers = [caller(number) for number in range(CALLERS)]
    with Store.open(path) as store:
        batch = TallyBatch()
        for match, place in spread(catalogue, tallies):
            who, hour = callers[place % CALLERS], place // CALLERS
            status = 404 if place % 17 == 0 else 200
            batch.count(match, who, status, START + hour * 3600.0 + place % 3600, 0.004)
            if batch.size == BATCH:
                store.add(batch, catalogue=catalogue)
                batch = TallyBatch()
        store.add(batch, catalogue=catalogue)
        (made,) = store.connection.execute("SELECT count(*) FROM tallies").fetchone()
    if made != tallies:
        raise RuntimeError(f"the store holds {made} tallies, not {tallies}")


def spread(catalogue: Catalogue, tallies: int) -> Iterator[tuple[Match, int]]:
    """Give matches with a place each (caller and hour), no pair twice; the same on every run."""
    matches = [catalogue.match(found.method, found.path) for found in catalogue.operations.values()]
    order = random.Random(7)  # the same spread each time
    order.shuffle(matches)
    matches.sort(key=lambda match: match.operation is not None and (match.operation.deprecated, _unsettled(match)))
    weights = [1 / (rank + 20) for rank in range(len(matches))]
    whole = sum(weights)
    shares = [min(CALLERS * HOURS, int(tallies * weight / whole)) for weight in weights]
    shares[len(shares) // 2] += tallies - sum(shares)
    for match, share in zip(matches, shares, strict=True):
        here = msgspec.structs.replace(match, namespace="shop" if match.namespace else "", name="")
        for place in range(share):
            yield here, place


def _unsettled(match: Match) -> int:
    return [Level.STABLE, Level.BETA, Level.ALPHA].index(match.operation.level) if match.operation else 3


def caller(number: int) -> Caller:
    """Give one of the callers: five replicas of a hundred workloads in twenty namespaces."""
    namespace, workload = f"team-{number % 20}", f"service-{number % 100}"
    return Caller(
        node=f"node-{number % 9}",
        namespace=namespace,
        pod=f"{workload}-{number:05x}",
        pod_uid=f"{number:032x}",
        container="app",
        workload=f"deployment/{workload}",
        service_account=f"{namespace}/{workload}",
        user=f"system:serviceaccount:{namespace}:{workload}",
        client=workload,
        client_version="1.4.2",
    )
