"""Failures that callers tell apart from others: each leaves a way to go on."""

from apisnoop.errors import ApisnoopError


class RefusedError(ApisnoopError):
    """The API server answered with an error."""

    def __init__(self, what: str, status: int, message: str) -> None:
        hint = "; see the rights that certs/README.md lists" if status in {401, 403} else ""
        super().__init__(f"the API server refuses to {what}: {message or status}{hint}")
        self.status = status


class NotSignedError(ApisnoopError):
    """There is no certificate from this signer that pods accept; the message is the reason."""
