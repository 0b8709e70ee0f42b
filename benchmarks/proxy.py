"""What `apisnoop run` takes of the machine, and leaves of its speed.

Requests for each second of its processor time, against stock mitmdump under the same load; how fast large bodies pass;
and whether memory grows with calls.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence

from benchmarks.proxy_rig import Proxy, Rig, Target, apisnoop_run, mitmdump, rig
from benchmarks.row import Row

OBJECT = "/api/v1/namespaces/shop/pods/web"
NAMES = ("-names", "1000")
"""Pods asked for by turns."""
ROUNDS = 5
REQUESTS = 4000
LARGE = f"/bytes?n={64 * 2**20}"
WARM_UP = 20_000
"""Calls until allocator, caches and tables have their size."""
MANY = 100_000
STEP = 10_000
"""Calls between two looks at the memory, on connections of their own."""


def run() -> list[Row]:
    """Measure `apisnoop run` as it is installed, with recorder and store."""
    with rig() as made:
        with apisnoop_run(made) as proxy:
            with mitmdump(made) as stock:
                rows = [throughput("proxy", proxy, stock, protocol) for protocol in (1, 2)]
            rows.append(_large(proxy, made.direct))
        return [*rows, *_memory(made)]


def throughput(name: str, proxy: Proxy, stock: Proxy, protocol: int) -> Row:
    """Compare how many requests both carry with a second of processor time, by turns."""
    pairs = [[_per_cpu_second(one, protocol) for one in (proxy, stock)] for _ in range(ROUNDS + 1)][1:]
    our, peer = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Row(f"{name}, HTTP/{protocol}", our, "requests/CPU s", 2, 3, peer=peer, note="against mitmdump")


def _per_cpu_second(proxy: Proxy, protocol: int) -> float:
    before = proxy.cpu_seconds()
    proxy.drive(OBJECT, protocol, REQUESTS, "-connections", "8", *NAMES)
    return REQUESTS / (proxy.cpu_seconds() - before)


def _large(proxy: Proxy, direct: Target) -> Row:
    def rate(target: Target) -> float:
        result = target.drive(LARGE, 2, 4, "-connections", "1")
        return float(result["bytes"] / result["seconds"] / 1e6)

    through, without = (statistics.median(rate(target) for _ in range(3)) for target in (proxy, direct))
    return Row("large bodies, HTTP/2", through, "MB/s", 0.3, 0.5, peer=without, note="against no proxy")


def _memory(made: Rig) -> list[Row]:
    """Measure the growth that many calls cause: the slope of a line through checkpoints, as allocators make steps."""
    with apisnoop_run(made, f"--calls={made.folder / 'calls.jsonl'}") as proxy:
        return growth({"memory": proxy.resident_bytes}, lambda count: proxy.drive(OBJECT, 2, count, *NAMES))


def growth(residents: Mapping[str, Callable[[], int]], drive: Callable[[int], object]) -> list[Row]:
    """Have many calls made, and look at the memory between them; a row for each of `residents`, by name."""
    looks = []
    for _ in range((WARM_UP + MANY) // STEP):
        drive(STEP)
        looks.append([resident() for resident in residents.values()])
    columns = zip(*looks[WARM_UP // STEP - 1 :], strict=True)
    return [_growth(name, column) for name, column in zip(residents, columns, strict=True)]


def _growth(name: str, held: Sequence[int]) -> Row:
    more = statistics.linear_regression(range(len(held)), held).slope * MANY / STEP / held[0] * 100
    note = f"from call {WARM_UP:,} on, {held[0] / 1e6:.0f} MB"
    return Row(f"{name} after {MANY:,} calls", more, "% more", 1, 0.1, at_least=False, note=note)
