"""How much later a watch's first event arrives through the proxy than without it."""

from benchmarks.proxy import Bench, Proxy, bench, ours
from benchmarks.row import Row

EVENTS = 40
PATH = "/watch?delay=20"


def run() -> list[Row]:
    """Measure over both versions of HTTP."""
    with bench() as rig, ours(rig) as proxy:
        return [_later(rig, proxy, protocol) for protocol in (1, 2)]


def _later(rig: Bench, proxy: Proxy, protocol: int) -> Row:
    options = ("-watch", "-connections", "1")
    through, direct = (rig.drive(port, PATH, protocol, EVENTS, *options)["p50"] for port in (proxy.port, rig.port))
    return Row(f"watch's first event, HTTP/{protocol}", (through - direct) * 1000, "ms later", 20, 5, at_least=False)
