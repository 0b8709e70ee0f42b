"""The first message of a TLS client: complete, none, or too much."""

import ssl

import pytest

from apisnoop_addons.engine.client_hello import LARGEST_HELLO, MOST_RECORDS, ClientHelloBuffer


def hello():
    """Have OpenSSL say what a client says first: one record."""
    said = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), said, server_hostname="kubernetes.default.svc")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return said.read()


def records(message, size):
    """Cut a message into records with so many bytes each."""
    pieces = [message[start : start + size] for start in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2) + piece for piece in pieces)


def add_all(buffer, said, piece):
    """Add bytes, so many at a time; return whether any of them has made the message complete."""
    found = [buffer.add(said[start : start + piece]) for start in range(0, len(said), piece)]
    return any(found)


@pytest.mark.parametrize("piece", [1, 4, 5, 6, 100, 10_000])
@pytest.mark.parametrize("size", [100, 16_384])
def test_a_hello_is_complete_with_its_last_byte(piece, size):
    """However it is cut into records and packets."""
    said = records(hello()[5:], size)
    buffer = ClientHelloBuffer()
    assert not add_all(buffer, said[:-1], piece)
    assert buffer.add(said[-1:])
    assert buffer.data == said


def test_what_comes_behind_a_hello_is_kept():
    """Such as early data."""
    buffer = ClientHelloBuffer()
    assert buffer.add(hello() + b"and more")
    assert buffer.data.endswith(b"and more")


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x00\x00",
        records(b"\x02\x00\x00\x01x", 5),
        records(b"\x01\xff\xff\xff" + b"x" * 100, 104),
        records(b"\x01\x00\xff\x00" + b"x" * 1000, 1),
        records(b"\x01\x00\xff\xff" + b"x" * 2**16, 16_384),
    ],
    ids=["HTTP", "an empty record", "another message", "16 MB announced", "a byte a record", "too large"],
)
@pytest.mark.parametrize("piece", [7, 2**17])
def test_what_will_never_be_a_hello_is_given_up(said, piece):
    """As soon as that can be seen."""
    buffer = ClientHelloBuffer()
    with pytest.raises(ValueError, match=r"record|message"):
        add_all(buffer, said, piece)
    assert len(buffer.data) <= LARGEST_HELLO + piece


def test_an_endless_series_of_small_records_is_given_up_early():
    """Reading it anew for each of them would take seconds."""
    buffer = ClientHelloBuffer()
    with pytest.raises(ValueError, match="pieces"):
        add_all(buffer, records(b"\x01\x00\xff\x00" + b"x" * 1000, 1), 6)
    assert len(buffer.data) <= 6 * (MOST_RECORDS + 1)


def test_an_unfinished_record_waits():
    """It may come in many packets."""
    assert not add_all(ClientHelloBuffer(), records(b"\x01\x00\x3f\x00" + b"x" * 10_000, 16_000)[:-1], 1000)
