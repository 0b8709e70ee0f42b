"""Pass every body on as it comes. Without this, a watch would reach its client when it ends."""

from mitmproxy.http import HTTPFlow


class Stream:
    """The addon; first in the order, so that those behind it may put a function in the place of True."""

    def requestheaders(self, flow: HTTPFlow) -> None:
        """Send the request's body on piece by piece."""
        flow.request.stream = True

    def responseheaders(self, flow: HTTPFlow) -> None:
        """Send the answer's body on piece by piece."""
        if flow.response is not None:
            flow.response.stream = True
