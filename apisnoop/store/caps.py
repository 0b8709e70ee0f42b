"""How much of each dimension a store keeps, so that random paths, agents, namespaces and names cannot fill a disk.

Beyond a cap a value is counted as "(other)": no call is lost, only no longer told apart. Values already known stay so.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caps:
    """Most distinct values of each dimension, and the size from which on nothing new is told apart."""

    findings: int = 2_000
    """Targets that are no operation: callers make up unknown paths. Operations are as many as catalogues have."""
    callers: int = 50_000
    """Distinct callers: an e2e run makes some 7,000 of one identity, a large cluster has as many pods.

    Beyond it as many users and service accounts are still told apart, without their programs.
    """
    namespaces: int = 10_000
    """Namespaces named in requests, which need not exist."""
    actions: int = 500
    """Pairs of verb and detail; a client may send any method."""
    names: int = 64
    """Object names of one target, action, caller and namespace: nobody lists more in a role, so of more none stays."""
    losses: int = 1_000
    """Kinds of loss."""
    bytes: int = 2_000_000_000
    """Size of the store (some 25 million tallies); beyond it new keys share one caller and one namespace."""
