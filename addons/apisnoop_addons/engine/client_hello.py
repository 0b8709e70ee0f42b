"""Follows a TLS client's first message as it arrives, so that nobody can make it cost more than it is worth.

mitmproxy keeps whatever comes until a ClientHello is complete, and reads all of it anew whenever a byte is added: one
connection that never gets to the end takes the memory and the time of all others.
"""

from mitmproxy.net.tls import starts_like_tls_record

LARGEST_HELLO = 64 * 2**10
"""Bytes, as Go's servers allow; clients need some hundreds, with keys for the time after quantum computers 1,800."""
MOST_RECORDS = 32
"""A record holds 16 KiB, and a client fills it."""
_HEADER = 5
"""Bytes before a record's content: type, version, and two of the content's length (RFC 8446 section 5.1)."""
_CLIENT_HELLO = 1


class ClientHelloBuffer:
    """Keeps the bytes, and knows after each piece whether the message is complete."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._next = 0
        """Where the first record begins that is not complete yet."""
        self._records = 0
        self._begin = bytearray()
        """The first four bytes of the message: its type, and three of its length."""
        self._length = 0
        """Bytes of the message in complete records."""

    def add(self, data: bytes) -> bool:
        """Take what has arrived; return whether the message is complete. Raise ValueError for what will be none."""
        self.data += data
        while not self._complete and self._take_record():
            if self._records > MOST_RECORDS:
                raise ValueError("the first message is in too many pieces")
        if len(self.data) > LARGEST_HELLO:
            raise ValueError("the first message is too large")
        return self._complete

    def _take_record(self) -> bool:
        content = self._next + _HEADER
        header = bytes(self.data[self._next : content])
        if len(header) < _HEADER:
            return False
        size = int.from_bytes(header[3:])
        if not starts_like_tls_record(header) or not size:
            raise ValueError("no TLS record")
        if len(self.data) < content + size:
            return False
        self._begin += self.data[content : content + min(size, 4 - len(self._begin))]
        self._length += size
        self._next = content + size
        self._records += 1
        self._check()
        return True

    def _check(self) -> None:
        if self._begin[0] != _CLIENT_HELLO or int.from_bytes(self._begin[1:4]) > LARGEST_HELLO:
            raise ValueError("the first message is no ClientHello")

    @property
    def _complete(self) -> bool:
        return len(self._begin) == 4 and self._length >= 4 + int.from_bytes(self._begin[1:])
