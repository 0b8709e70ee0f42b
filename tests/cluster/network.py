"""The wires between the machine and its nodes.

    host ── apisnoopN (10.89.N.1) ──┐
                                    bridge, in a network namespace of its own
    node1 ── eth0 (10.89.N.11) ─────┤
    node2 ── eth0 (10.89.N.12) ─────┘

Nobody translates addresses: pods, nodes and the API server see who really speaks. The namespaces have no names, they
last as long as the processes in them, and the kernel takes their devices (and the host's end of the wire, with its
routes) along: after a crash there is nothing to find and remove.
"""

from __future__ import annotations

import json
import subprocess
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .processes import Processes
    from .slot import Slot

BRIDGE = "bridge0"
_NARROWEST_DEFAULT = 8
_TIMEOUT = 30.0


def is_free(slot: Slot, routes: Iterable[str]) -> bool:
    """Tell whether none of the machine's routes overlaps the slot's addresses, so that using them hides nothing."""
    wanted = (slot.node_network, slot.cluster_network)
    taken = [IPv4Network(route, strict=False) for route in routes if route != "default"]
    # Some VPNs split the default route into halves; what is that wide claims nothing in particular.
    specific = [network for network in taken if network.prefixlen >= _NARROWEST_DEFAULT]
    return not any(network.overlaps(want) for network in specific for want in wanted)


def routes() -> list[str]:
    """List the destinations of the machine's IPv4 routes, as `ip route` prints them."""
    output = _run(["ip", "-json", "-4", "route", "show", "table", "all"])
    local = ("local", "broadcast", "multicast")
    return [route["dst"] for route in json.loads(output or "[]") if route.get("type") not in local]


def host_commands(slot: Slot, switch: int) -> list[str]:
    """Render the `ip` commands that plug the host into the bridge of process `switch`, run on the host."""
    return [
        f"link add {slot.name} type veth peer name host netns {switch}",
        f"address add {slot.host_address}/{slot.node_network.prefixlen} dev {slot.name}",
        f"link set {slot.name} up",
    ]


def switch_commands() -> list[str]:
    """Render the `ip` commands that make the bridge, run in the switch's namespace after `host_commands`."""
    return [
        f"link add {BRIDGE} type bridge",
        f"link set {BRIDGE} up",
        f"link set host master {BRIDGE}",
        "link set host up",
    ]


def plug_commands(number: int, pid: int) -> list[str]:
    """Render the `ip` commands that plug node `number` (its process `pid`) in, run in the switch's namespace."""
    return [
        f"link add node{number} type veth peer name eth0 address {_hardware_address(number)} netns {pid}",
        f"link set node{number} master {BRIDGE}",
        f"link set node{number} up",
    ]


def _hardware_address(number: int) -> str:
    """Return a node's Ethernet address, the same after every boot: others remember it for a while."""
    return f"02:00:00:00:00:{number:02x}"


def node_commands(slot: Slot, number: int, nodes: int) -> list[str]:
    """Render the `ip` commands run in the namespace of node `number` of `nodes`."""
    others = [other for other in range(1, nodes + 1) if other != number]
    return [
        "link set lo up",
        f"address add {slot.node_address(number)}/{slot.node_network.prefixlen} dev eth0",
        "link set eth0 up",
        f"route add default via {slot.host_address}",
        *(f"route add {slot.pod_network(other)} via {slot.node_address(other)}" for other in others),
    ]


def route_commands(slot: Slot, number: int) -> list[str]:
    """Render the `ip` command with which the host reaches the pods of node `number`."""
    return [f"route replace {slot.pod_network(number)} via {slot.node_address(number)} dev {slot.name}"]


def start_switch(processes: Processes) -> int:
    """Start the process whose network namespace holds the bridge, plug the host into it, and return its id."""
    pid = processes.start("switch", ["unshare", "--net", "sleep", "infinity"])
    namespace = Path(f"/proc/{pid}/ns/net")
    processes.wait_until(lambda: not namespace.samefile("/proc/self/ns/net"), "the bridge's namespace", _TIMEOUT)
    connect_switch(processes.slot, pid)
    return pid


def connect_switch(slot: Slot, switch: int) -> None:
    """Build the bridge in the namespace of process `switch` and plug the host into it."""
    apply(host_commands(slot, switch))
    apply(switch_commands(), namespace_of=switch)


def connect_node(slot: Slot, switch: int, node: int, number: int, nodes: int) -> None:
    """Plug node `number` of `nodes`, whose first process is `node`, into the bridge of process `switch`."""
    apply(plug_commands(number, node), namespace_of=switch)
    apply(node_commands(slot, number, nodes), namespace_of=node)
    apply(route_commands(slot, number))


def is_plugged_in(switch: int, number: int) -> bool:
    """Tell whether the wire of node `number` is still in the bridge of process `switch`: the kernel takes its time."""
    devices = Path(f"/proc/{switch}/net/dev").read_text()
    return f"node{number}:" in devices


def remove(slot: Slot) -> None:
    """Remove the host's end of the wire, should it have outlived its switch."""
    if Path("/sys/class/net", slot.name).exists():
        subprocess.run(["ip", "link", "delete", slot.name], check=False, capture_output=True)


def apply(commands: Sequence[str], *, namespace_of: int | None = None) -> None:
    """Run `ip` commands in one go, in the network namespace of a process or on the host."""
    enter = [] if namespace_of is None else ["nsenter", f"--net=/proc/{namespace_of}/ns/net", "--"]
    _run([*enter, "ip", "-batch", "-"], "\n".join(commands) + "\n")


def _run(command: Sequence[str], text: str = "") -> str:
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {result.stderr.strip()}\n{text}".rstrip())
    return result.stdout
