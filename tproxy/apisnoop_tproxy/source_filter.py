"""A listening socket that only one address can connect to: the kernel drops everybody else's first packet.

Who connects to it is therefore known by the socket, as with one inside a pod, and nobody else can use up what that pod
may have of connections. Classic BPF (socket(7), SO_ATTACH_FILTER), which needs no right.
"""

import ctypes
import ipaddress
import socket
import struct

SO_ATTACH_FILTER = 26
"""asm-generic/socket.h."""
_NETWORK_HEADER = 0xFFF0_0000
"""SKF_NET_OFF of linux/filter.h: where offsets count from the IP header."""
_LOAD, _EQUALS, _RETURN = 0x20, 0x15, 0x06
"""BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K of linux/bpf_common.h."""
_SOURCE = {4: 12, 6: 8}
"""Offset of the source address, by version of IP."""
_WHOLE = 0xFFFF_FFFF

type Instruction = tuple[int, int, int, int]
"""Code, jumps if true and if false, constant."""


def render_filter(source: str) -> list[Instruction]:
    """Render the program that takes packets of one IP address and no others."""
    address = ipaddress.ip_address(source)
    words = struct.unpack(f"!{len(address.packed) // 4}I", address.packed)
    program: list[Instruction] = []
    for number, word in enumerate(words):
        left = 2 * (len(words) - number) - 1  # instructions from here to the refusal
        program.append((_LOAD, 0, 0, _NETWORK_HEADER + _SOURCE[address.version] + 4 * number))
        program.append((_EQUALS, 0, left, word))
    return [*program, (_RETURN, 0, 0, _WHOLE), (_RETURN, 0, 0, 0)]


def attach_filter(sock: socket.socket, source: str) -> None:
    """Let only one IP address through to a socket and to what it accepts. Raises OSError."""
    program = render_filter(source)
    packed = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    held = ctypes.create_string_buffer(packed)
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(held)))
