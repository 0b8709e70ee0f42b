"""Failures that callers tell apart from others: each leaves a way to go on."""

from apisnoop.errors import ApisnoopError


class NotSignedError(ApisnoopError):
    """There is no certificate from this signer that pods accept; the message is the reason."""
