"""Failures that callers tell apart from others: each leaves a way to go on."""

from apisnoop.errors import ApisnoopError


class NotSignedError(ApisnoopError):
    """There is no certificate from this signer that pods accept; the message is the reason."""


class NotAllowedError(ApisnoopError):
    """The admission policy forbids the request; `then` is the administrator's next command.

    No other signer would do, nor is it a reason for our own authority: somebody has to look.
    """

    def __init__(self, message: str, then: str) -> None:
        super().__init__(f"{message}; an administrator makes the policy anew: {then}")
        self.then = then
