"""Containers of one pod whose connections cannot be read, as the proxy has found: these are carried untouched. Pure."""

from collections import Counter

CLIENT_CERTIFICATE, HANDSHAKE_ABANDONED = "client-certificate", "handshake-abandoned"
ABANDONED = 5
"""Handshakes that a container's clients may leave before our certificate is taken to be the reason."""


class Unreadable:
    """Of one pod; it is forgotten with it."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self._containers: dict[str, str] = {}
        self._abandoned: Counter[str] = Counter()

    def add(self, container: str, reason: str) -> None:
        """Take that a connection was closed unread.

        A client that only left during its handshake may have been in a hurry; one that does so again and again has not.
        """
        self.reasons[reason] += 1
        if reason == HANDSHAKE_ABANDONED:
            self._abandoned[container] += 1
            if self._abandoned[container] < ABANDONED:
                return
        self._containers.setdefault(container, reason)

    def forget_rejections(self) -> None:
        """Try again with those that did not accept a certificate that we have no more."""
        self._containers = {name: why for name, why in self._containers.items() if why == CLIENT_CERTIFICATE}
        self._abandoned.clear()

    def __contains__(self, container: str) -> bool:
        """Tell whether this container's connections are to be carried untouched."""
        return container in self._containers
