"""`apisnoop-tproxy redirect`: the init container of mode `init`, which leads API connections to the node's proxy.

For clusters that allow no node agent. It needs NET_ADMIN inside its own pod and no more: libnftables talks to the
kernel by netlink, which needs no raw sockets as iptables' own do. There are no leases here: as long as the pod lives,
its API connections need the proxy.
"""

import ipaddress
from collections.abc import Collection, Mapping

from apisnoop.errors import ApisnoopError, UsageError
from apisnoop.node.messages import Address
from apisnoop_tproxy.nft import RuleError, apply_rules, list_table
from apisnoop_tproxy.rules import PRIORITY, TABLE
from apisnoop_tproxy.settings import parse_address

_FAMILIES = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}


def render_redirection(proxy: Address, destinations: Collection[Address]) -> str:
    """Render the transaction that leads connections to `destinations` of the proxy's address family there."""
    version = ipaddress.ip_address(proxy[0]).version
    protocol, kind = _FAMILIES[version]
    host = proxy[0] if version == 4 else f"[{proxy[0]}]"
    elements = ", ".join(f"{address} . {port}" for address, port in sorted(destinations))
    comment = f"apisnoop mode init: API calls go by {host}:{proxy[1]}; remove: nft delete table inet {TABLE}"
    return "\n".join(
        [
            f"add table inet {TABLE}",
            f"delete table inet {TABLE}",
            f"table inet {TABLE} {{",
            f'\tcomment "{comment}"',
            "\tset api {",
            f"\t\ttype {kind} . inet_service",
            f"\t\telements = {{ {elements} }}",
            "\t}",
            "\tchain output {",
            f"\t\ttype nat hook output priority {PRIORITY}; policy accept;",
            f"\t\t{protocol} daddr . tcp dport @api dnat {protocol} to {host}:{proxy[1]}",
            "\t}",
            "}",
            "",
        ]
    )


def redirect(proxy: str, destinations: Collection[str], environment: Mapping[str, str]) -> str:
    """Redirect this pod's API connections, and see that the rule is there; return what was done, for people.

    Raises UsageError for what is no address, and ApisnoopError where the kernel refuses.
    """
    target = parse_address("--proxy", proxy)
    known = {parse_address("--destination", one) for one in destinations} or {_server(environment)}
    version = ipaddress.ip_address(target[0]).version
    led = [one for one in known if ipaddress.ip_address(one[0]).version == version]
    if not led:
        raise UsageError(f"--proxy={proxy} is of another address family than {', '.join(map(_written, sorted(known)))}")
    try:
        apply_rules(render_redirection(target, led))
        there = list_table()
    except RuleError as error:
        raise ApisnoopError(f"cannot write the rule: {error}; this container needs NET_ADMIN") from None
    if f"to {target[0]}" not in there and f"to [{target[0]}]" not in there:
        raise ApisnoopError("the kernel took the rule, but it is not there; is this a sandboxed runtime?")
    return f"connections to {', '.join(map(_written, sorted(led)))} go to {_written(target)}"


def _server(environment: Mapping[str, str]) -> Address:
    """Find the API server as the kubelet tells every container."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise UsageError("KUBERNETES_SERVICE_HOST is not set: this is no pod; give --destination=IP:PORT")
    return parse_address("KUBERNETES_SERVICE_HOST", f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


def _written(address: Address) -> str:
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
