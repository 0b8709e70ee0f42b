"""The few bytes of netlink(7) that sock_diag, rtnetlink and nf_tables have in common.

A socket belongs for ever to the network namespace in which it was opened: one opened inside a pod's serves from
outside. Talking to the kernel does not wait: it answers within the call.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator

import msgspec

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800
NLM_F_DUMP = 0x300
NLA_F_NESTED = 0x8000
_NLA_TYPE_MASK = 0x3FFF
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_LARGEST = 1 << 16
"""Bytes: twice what the kernel gives at a time. For 128 kB and more, a buffer's memory is mapped anew each time."""


class Answer(msgspec.Struct, frozen=True):
    """One message of the kernel."""

    kind: int
    payload: bytes


class Netlink:
    """A netlink socket in the network namespace of the calling thread."""

    def __init__(self, protocol: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._socket.bind((0, 0))

    def close(self) -> None:
        """Let go of the socket, and with it of the namespace."""
        self._socket.close()

    def ask(self, *messages: bytes, largest: int | None = None) -> list[Answer]:
        """Send messages in one piece and return what the kernel answers.

        Raises OSError with the first error the kernel tells, or EMSGSIZE as soon as it has told more than `largest`
        bytes, after which nothing else can be asked. Messages that ask for nothing (NLM_F_ACK, a dump) may fail in
        silence.
        """
        self._socket.send(b"".join(messages))
        answers: list[Answer] = []
        failure: OSError | None = None
        told = 0
        while True:
            try:
                received = self._socket.recv(_LARGEST, socket.MSG_DONTWAIT)
            except BlockingIOError:  # the kernel has answered within send(): there is no more
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                failure = failure or error  # it had more to tell than there was room for; what it has told comes now
                continue
            told += len(received)
            if largest is not None and told > largest:
                raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
            for answer in split_messages(received):
                if answer.kind in {_NLMSG_ERROR, _NLMSG_DONE}:
                    failure = failure or _failure(answer)
                else:
                    answers.append(answer)
        if failure is not None:
            raise failure
        return answers


def encode_message(kind: int, flags: int, payload: bytes) -> bytes:
    """Render a message; NLM_F_REQUEST is added."""
    body = _aligned(payload)
    return _HEADER.pack(_HEADER.size + len(payload), kind, flags | NLM_F_REQUEST, 0, 0) + body


def encode_attribute(kind: int, value: bytes) -> bytes:
    """Render an attribute; for one that holds others, add NLA_F_NESTED to its kind."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + _aligned(value)


def parse_attributes(data: bytes) -> dict[int, bytes]:
    """Read a run of attributes: kind to value."""
    found = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            break
        found[kind & _NLA_TYPE_MASK] = data[_ATTRIBUTE.size : length]
        data = data[_align(length) :]
    return found


def split_messages(data: bytes) -> Iterator[Answer]:
    """Take apart what one recv() gave."""
    while len(data) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(data)
        if length < _HEADER.size:
            return
        yield Answer(kind, data[_HEADER.size : length])
        data = data[_align(length) :]


def _failure(answer: Answer) -> OSError | None:
    """Read struct nlmsgerr, which is an acknowledgement when its error is 0, or what a list ended with, likewise."""
    (code,) = struct.unpack_from("=i", answer.payload)
    return OSError(-code, os.strerror(-code)) if code < 0 else None


def _aligned(data: bytes) -> bytes:
    return data + bytes(_align(len(data)) - len(data))


def _align(length: int) -> int:
    return (length + 3) & ~3
