"""A node and a pod as two network namespaces with a cable between them, as a CNI would join them."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.tproxy.podlike import API, API6, Podlike

NODE_ADDRESSES = ("10.202.0.1", "fd00:202::1")
POD_ADDRESSES = ("10.202.0.2", "fd00:202::2")


@dataclass(frozen=True, slots=True)
class Cabled:
    """Both of them."""

    node: Podlike
    pod: Podlike

    def rule(self) -> str:
        """List what is in the pod."""
        return self.pod.run(lambda: subprocess.check_output(["nft", "list", "ruleset"], text=True))


@contextmanager
def cable() -> Iterator[Cabled]:
    """Make both; they go with the block."""
    node, pod = (f"apisnoop-{side}-{os.getpid()}" for side in ("node", "pod"))
    with ExitStack() as stack:
        for name in (node, pod):
            _ip("netns", "add", name)
        cabled = Cabled(*(stack.enter_context(Podlike(Path("/run/netns") / name)) for name in (node, pod)))
        _ip("-n", node, "link", "add", "cable", "type", "veth", "peer", "name", "eth0", "netns", pod)
        for name, device, addresses in (
            (node, "cable", NODE_ADDRESSES),
            (pod, "eth0", POD_ADDRESSES),
        ):
            for address in addresses:
                _ip("-n", name, "addr", "add", *_with_prefix(address), "dev", device)
            for link in ("lo", device):
                _ip("-n", name, "link", "set", link, "up")
        for host, _ in (API, API6):
            _ip("-n", node, "addr", "add", *_alone(host), "dev", "lo")
        for gateway, family in zip(NODE_ADDRESSES, ("-4", "-6"), strict=True):
            _ip("-n", pod, family, "route", "add", "default", "via", gateway)
        yield cabled


def _with_prefix(address: str) -> tuple[str, ...]:
    return (f"{address}/64", "nodad") if ":" in address else (f"{address}/24",)


def _alone(address: str) -> tuple[str, ...]:
    return (f"{address}/128", "nodad") if ":" in address else (f"{address}/32",)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
