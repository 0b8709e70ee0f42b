"""Header compression (RFC 7541) that finds what it has sent before without looking through all of it.

hpack searches its table from end to end for every field and Huffman-codes what it does not find. Here a dictionary
says where a field is, and new values are sent as they are: the bytes saved by coding cost nothing on the way to a
client on this machine, and much in Python.
"""

from collections.abc import Iterable

from hpack import Encoder, NeverIndexedHeaderTuple
from hpack.table import HeaderTable, table_entry_size

_FIRST_DYNAMIC = HeaderTable.STATIC_TABLE_LENGTH + 1
_SHORT = 127
"""Indexes below this fit into one byte."""


class IndexedTable(HeaderTable):
    """A header table that knows the place of each of its entries."""

    def __init__(self) -> None:
        super().__init__()
        self._added = 0
        self._numbers: dict[bytes | tuple[bytes, bytes], int] = {}
        """Which addition last brought a field, or a field of a name; what was evicted since may linger for a while."""

    def add(self, name: bytes, value: bytes) -> None:
        """Add an entry, and drop old ones that it has no room beside."""
        self._numbers[name, value] = self._numbers[name] = self._added
        self._added += 1
        super().add(name, value)
        if not self.dynamic_entries:
            self._numbers.clear()

    def search(self, name: bytes, value: bytes) -> tuple[int, bytes, bytes | None] | None:
        """Find a field: (index, name, value), or with None for the value where only the name is there, or None."""
        static = self.STATIC_TABLE_MAPPING.get(name)
        if static is not None and (index := static[1].get(value)) is not None:
            return index, name, value
        if (index := self._place(self._numbers.get((name, value)))) is not None:
            return index, name, value
        if static is not None:
            return static[0], name, None
        index = self._place(self._numbers.get(name))
        return None if index is None else (index, name, None)

    def _place(self, number: int | None) -> int | None:
        if number is None or (age := self._added - 1 - number) >= len(self.dynamic_entries):
            return None
        return _FIRST_DYNAMIC + age

    def _shrink(self) -> None:
        entries = self.dynamic_entries
        while self._current_size > self._maxsize:
            number = self._added - len(entries)
            field = entries.pop()
            self._current_size -= table_entry_size(*field)
            for key in (field, field[0]):
                if self._numbers.get(key) == number:
                    del self._numbers[key]


class QuickEncoder(Encoder):
    """An encoder for lists of (name, value) in bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.header_table = IndexedTable()

    def encode(self, headers: Iterable[tuple[bytes, bytes]], huffman: bool = False) -> bytes:  # type: ignore[override]
        """Encode a header block. What was marked never to be indexed keeps that mark."""
        if self.header_table.resized:
            return super().encode(headers, huffman)
        search, pieces = self.header_table.search, []
        for field in headers:
            found = search(*field)
            if found is not None and found[2] is not None and found[0] < _SHORT:
                pieces.append(b"%c" % (0x80 | found[0]))
            else:
                pieces.append(self.add(field, isinstance(field, NeverIndexedHeaderTuple), huffman))
        return b"".join(pieces)
