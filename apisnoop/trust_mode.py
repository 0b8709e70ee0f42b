"""Whose signature the certificate carries that recorded pods are shown, in the words of its Job's verdict.

The Job writes it; status, webhook and nodes conclude from it.
"""

from enum import StrEnum


class Mode(StrEnum):
    """Whose signature the certificate carries."""

    CSR = "csr"
    """The cluster's: every pod accepts it, running ones too."""
    OWN_CA = "own-ca"
    """Ours: pods that get our bundle when they are created accept it."""
    NONE = "none"
    """There is no certificate: nothing is intercepted."""
