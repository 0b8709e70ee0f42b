"""When a certificate is to be replaced: two thirds of its life are over, or pods would not take it any more. Pure."""

from collections.abc import Iterable
from datetime import datetime

from apisnoop.moments import MOMENT
from apisnoop_certs.acceptance import refusal
from apisnoop_certs.leaf import Leaf


def renewal_time(leaf: Leaf) -> datetime:
    """Give the moment when two thirds of the real lifetime are over: a third is left for what may go wrong."""
    return leaf.not_before + (leaf.not_after - leaf.not_before) * 2 / 3


def why_renew(leaf: Leaf | None, authorities: str, names: Iterable[str], now: datetime) -> str | None:
    """Say why a certificate must be replaced now; None while it need not be."""
    if leaf is None:
        return "there is none yet"
    if now >= renewal_time(leaf):
        return f"two thirds of its lifetime are over, it ends {leaf.not_after:{MOMENT}}"
    return refusal(leaf, authorities, names)
