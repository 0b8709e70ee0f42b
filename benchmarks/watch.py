"""How much later a watch's first event arrives through `apisnoop run` than without it."""

from benchmarks.proxy_rig import Proxy, Target, apisnoop_run, rig
from benchmarks.row import Row

EVENTS = 40
PATH = "/watch?delay=20"


def run() -> list[Row]:
    """Measure over both versions of HTTP."""
    with rig() as made, apisnoop_run(made) as proxy:
        return [_later(proxy, made.direct, protocol) for protocol in (1, 2)]


def _later(proxy: Proxy, server: Target, protocol: int) -> Row:
    options = ("-watch", "-connections", "1")
    through, direct = (target.drive(PATH, protocol, EVENTS, *options)["p50"] for target in (proxy, server))
    return Row(f"watch's first event, HTTP/{protocol}", (through - direct) * 1000, "ms later", 20, 5, at_least=False)
