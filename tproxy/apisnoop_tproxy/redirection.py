"""`apisnoop-tproxy redirect`: the init container of mode `init`, which prepares a pod from inside to be led.

For clusters that allow no privileged node agent. The table that it writes does nothing by itself: datagrams of the node
agent make it act, each for some seconds (`render_redirection`), so it fails open as the agent's own rule does. It needs
NET_ADMIN inside its own pod and no more: libnftables talks to the kernel by netlink, which needs no raw sockets.
"""

import re
import socket
import time
import uuid
from collections.abc import Callable, Collection, Mapping

from apisnoop.causes import cause_of
from apisnoop.errors import UsageError
from apisnoop.node.messages import Address
from apisnoop_tproxy.nft import RuleError, apply_rules, list_table, remove_table
from apisnoop_tproxy.rules import FAMILIES, PRIORITY, TABLE, render_removal, split_families
from apisnoop_tproxy.settings import parse_address, read_server

LEAD, LET_GO = 15443, 15444
"""UDP ports of a pod. A datagram whose payload is the pod's UID (16 bytes) says by where it comes from, address and
port, where new API connections are to go; or that they go there no more."""
LEASE_SECONDS = 5
"""For how long one such datagram counts."""
HEAR_PRIORITY = -310
"""Before connection tracking (NF_IP_PRI_CONNTRACK, -200): the pod's table of connections has nothing of it."""
_UID_OFFSET = "@th,64,128"
"""The 16 bytes behind a UDP header."""
_CONNECT_SECONDS = 3.0
_PAUSE_SECONDS = 0.05


def render_redirection(pod_uid: uuid.UUID, destinations: Collection[Address]) -> str:
    """Render the transaction that puts our table in place of whatever table of ours is there.

    `meta nfproto` is only a key that is the same in both hooks. Who leads is replaced by whoever comes later, for the
    agent of an upgrade has another address; only then is anything deleted, since a map's data cannot be updated and
    what is deleted takes room for a second. Host and port are apart because nftables 1.0.6 has too few registers for
    both of IPv6 together.
    """
    families = {FAMILIES[family]: addresses for family, addresses in split_families(destinations).items()}
    lines = [
        render_removal([TABLE]),
        f"table inet {TABLE} {{",
        f'\tcomment "apisnoop: records API calls while the node agent says so; remove: nft delete table inet {TABLE}"',
        "\tmap port { type nf_proto : inet_service; flags dynamic, timeout; }",
    ]
    for (name, _, kind), addresses in families.items():
        elements = ", ".join(f"{host} . {port}" for host, port in addresses)
        lines += [
            f"\tset api_{name} {{ type {kind} . inet_service; elements = {{ {elements} }}; }}",
            f"\tmap host_{name} {{ type nf_proto : {kind}; flags dynamic, timeout; }}",
            f"\tset led_{name} {{ type {kind} . inet_service; flags dynamic, timeout; }}",
        ]
    lines += [
        "\tchain hear {",
        f"\t\ttype filter hook prerouting priority {HEAR_PRIORITY}; policy accept;",
        f"\t\tudp dport {LEAD} {_UID_OFFSET} {pod_uid.int:#034x} goto lead",
        f"\t\tudp dport {LET_GO} {_UID_OFFSET} {pod_uid.int:#034x} goto let_go",
        "\t}",
    ]
    known = [f"{ip} saddr . udp sport @led_{name} {_learn('update', name, ip)} drop" for name, ip, _ in families]
    other = [f"{_forget(name, ip)} {_learn('add', name, ip)} drop" for name, ip, _ in families]
    gone = [f"{_forget(name, ip)} delete @led_{name} {{ {ip} saddr . udp sport }} drop" for name, ip, _ in families]
    for chain, rules in (("lead", known + other), ("let_go", gone)):
        lines += [f"\tchain {chain} {{", *(f"\t\t{rule}" for rule in rules), "\t}"]
    lines += ["\tchain output {", f"\t\ttype nat hook output priority {PRIORITY}; policy accept;"]
    lines += [
        f"\t\ttcp flags & (fin | syn | rst | ack) == syn {ip} daddr . tcp dport @api_{name} counter "
        f"dnat {ip} to meta nfproto map @host_{name} : meta nfproto map @port"
        for name, ip, _ in families
    ]
    return "\n".join([*lines, "\t}", "}", ""])


def _learn(how: str, name: str, ip: str) -> str:
    """Render what notes for another lease where a datagram came from."""
    lease = f"timeout {LEASE_SECONDS}s"
    host, port = (
        f"{how} @host_{name} {{ meta nfproto {lease} : {ip} saddr }}",
        f"{how} @port {{ meta nfproto {lease} : udp sport }}",
    )
    return f"{host} {port} {how} @led_{name} {{ {ip} saddr . udp sport {lease} }}"


def _forget(name: str, ip: str) -> str:
    """Render what forgets where connections go."""
    return f"delete @host_{name} {{ meta nfproto : {ip} saddr }} delete @port {{ meta nfproto : udp sport }}"


def redirect(
    limit: float,
    destinations: Collection[str],
    environment: Mapping[str, str],
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """Prepare this pod, and wait until its API connections are led to the proxy, at most `limit` seconds.

    Return why they are not, and then nothing of ours is left; empty if they are. Raises UsageError for what is no
    address or UID.
    """
    server = read_server(environment)
    known = [server, *(parse_address("--destination", one) for one in destinations)]
    pod_uid = _uid(environment)
    try:
        apply_rules(render_redirection(pod_uid, known))
        why = _wait(server, limit, clock) or _try(server)
        if why:
            remove_table()
    except RuleError as error:
        return f"the kernel does not take its rule: {error}; the container needs NET_ADMIN"
    return why


def _wait(server: Address, limit: float, clock: Callable[[], float]) -> str:
    deadline = clock() + limit
    kind = "ipv6" if ":" in server[0] else "ipv4"
    while not re.search(rf"elements = {{ {kind} .*expires", list_table(stateful=True)):
        if clock() >= deadline:
            return f"the node agent has not taken it within {limit:g} s: is there one, and may it send UDP to the pod?"
        time.sleep(_PAUSE_SECONDS)
    return ""


def _try(server: Address) -> str:
    """See that a connection arrives at the proxy, before the pod's own programs depend on it."""
    try:
        _try_connection(server)
    except OSError as error:
        return f"the node's proxy cannot be reached: {cause_of(error)}; does a NetworkPolicy forbid it?"
    if "counter packets 0 " in _rule_of(server):
        return f"connections to {server[0]} do not meet the rule: the network plugin gives them another address before"
    return ""


def _try_connection(server: Address) -> None:
    socket.create_connection(server, timeout=_CONNECT_SECONDS).close()


def _rule_of(server: Address) -> str:
    name = "v6" if ":" in server[0] else "v4"
    return next((line for line in list_table(stateful=True).splitlines() if f"@api_{name} counter" in line), "")


def _uid(environment: Mapping[str, str]) -> uuid.UUID:
    text = environment.get("POD_UID", "")
    try:
        return uuid.UUID(text)
    except ValueError:
        raise UsageError(f"POD_UID={text} is no pod's UID; the webhook takes it from metadata.uid") from None
