"""Read header fields as they stand. mitmproxy's own mapping lower-cases, decodes and joins all of them at each look."""

from collections.abc import Iterable

type Fields = Iterable[tuple[bytes, bytes]]


def first_header(fields: Fields, name: bytes) -> str:
    """Give the first value of a header, named in lower case, or an empty string. What is no UTF-8 is replaced."""
    for key, value in fields:
        if len(key) == len(name) and key.lower() == name:
            return value.decode("utf-8", "replace")
    return ""


def all_headers(fields: Fields, name: bytes) -> list[str]:
    """Give every value of a header, named in lower case."""
    return [value.decode("utf-8", "replace") for key, value in fields if key.lower() == name]
