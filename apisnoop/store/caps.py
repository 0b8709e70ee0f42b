"""How much of each dimension a store keeps, so that random paths, agents, namespaces and names cannot fill a disk.

Beyond a cap a value is counted as "(other)": no call is lost, only no longer told apart. Values already known stay so.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caps:
    """Most distinct values of each dimension."""

    templates: int = 2_000
    """Path templates of findings: callers make up unknown paths. Operations are as many as catalogues have."""
    callers: int = 50_000
    """Distinct callers: an e2e run makes some 7,000 of one identity, a large cluster has as many pods."""
    namespaces: int = 10_000
    """Namespaces named in requests, which need not exist."""
    actions: int = 500
    """Pairs of verb and detail; a client may send any method."""
    names: int = 64
    """Object names of one target, caller, action and namespace."""
    all_names: int = 500_000
    """Object names in all."""
    tallies: int = 5_000_000
    """Tallies in all (some 500 MB); beyond it new keys share one caller and one namespace."""
    losses: int = 1_000
    """Kinds of loss."""
