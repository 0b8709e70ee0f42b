"""Applying rules in a pod's network namespace: tables through libnftables, leases through netlink.

libnftables takes text and gives none of nft's process; its context costs 130 kB at once and more with use, so it is
there for a moment only. What stays per pod is a netlink socket, for what is asked often.
"""

import ctypes
import functools
import re

import msgspec

from apisnoop.causes import cause_of
from apisnoop.errors import ApisnoopError
from apisnoop_tproxy.conntrack import count_tracked
from apisnoop_tproxy.netlink import Netlink
from apisnoop_tproxy.rules import TABLE, encode_batch, parse_comment, render_removal
from apisnoop_tproxy.table_size import NETLINK_NETFILTER, Size, measure

_OUTPUT_STATELESS = 1 << 2
"""NFT_CTX_OUTPUT_STATELESS of nftables/libnftables.h."""
_COMMENT = re.compile(r'^\tcomment "(?P<text>[^"\n]{0,256})"$', re.MULTILINE)
_ELEMENTS = re.compile(r"^\t\telements = \{[^}]*\}\n", re.MULTILINE)


class RuleError(Exception):
    """The kernel, or libnftables, refused a transaction."""


class Table(msgspec.Struct, frozen=True):
    """Our table, as found in a namespace."""

    generation: str
    ports: tuple[int, ...]
    live: bool
    """Whether it leads anything anywhere: its leases have not run out."""
    fingerprint: str
    """Of everything in it but what changes by itself: two tables with the same one do the same."""


class Netfilter:
    """A socket in one network namespace, that of the thread that opened it, for what can be asked from outside."""

    def __init__(self) -> None:
        self._netlink = Netlink(NETLINK_NETFILTER)

    def close(self) -> None:
        """Let go of the namespace."""
        self._netlink.close()

    def apply(self, changes: list[bytes]) -> None:
        """Make changes in one transaction, as `rules.encode_leases` gives them.

        Raises RuleError if there is no such table any more; then nothing has changed.
        """
        try:
            self._netlink.ask(*encode_batch(changes))
        except OSError as error:
            raise RuleError(f"table inet {TABLE}: {cause_of(error)}") from None

    def tracks(self) -> bool:
        """Tell whether there is any connection that is tracked. Raises OSError: EINVAL without ctnetlink."""
        return count_tracked(self._netlink) > 0


def apply_rules(text: str) -> None:
    """Carry out a transaction in the calling thread's network namespace. Raises RuleError; then nothing has changed."""
    _run(text)


def remove_table() -> None:
    """Delete our table in the calling thread's network namespace, if it is there. Raises RuleError."""
    _run(render_removal())


def find_table(*, ours: bool = False) -> Table | None:
    """Look for our table in the calling thread's network namespace. Raises RuleError, OSError.

    One that is too large to be ours is somebody else's, and not looked into; `ours`: it has been made just now.
    """
    size = Size.MODEST if ours else measure()
    if size is Size.TOO_LARGE:
        return Table("", (), live=True, fingerprint="too large")
    listed = "" if size is Size.NONE else list_table()
    if not listed:
        return None
    comment = _COMMENT.search(listed)  # not in the JSON that nftables 1.0.6 gives
    generation, ports = parse_comment(comment["text"] if comment else "") or ("", ())
    return Table(generation, ports, _ELEMENTS.search(listed) is not None, _ELEMENTS.sub("", listed))


def list_table(*, stateful: bool = False) -> str:
    """Return our table in the calling thread's network namespace as text, empty if there is none. Raises RuleError.

    `stateful`: with counters, and with what rules have put into sets.
    """
    try:
        return _run(f"list table inet {TABLE}", 0 if stateful else _OUTPUT_STATELESS)
    except RuleError as error:
        if "No such file or directory" in str(error):
            return ""
        raise


def require_library() -> None:
    """Raise ApisnoopError if libnftables is not there."""
    _library()


def _run(text: str, output: int = 0) -> str:
    """Run commands in a context that lives no longer; the messages are libnftables' own."""
    library = _library()
    context = library.nft_ctx_new(0)
    if not context:
        raise RuleError("libnftables has no context for us (out of memory?)")
    try:
        library.nft_ctx_buffer_output(context)
        library.nft_ctx_buffer_error(context)
        library.nft_ctx_output_set_flags(context, output)
        if library.nft_run_cmd_from_buffer(context, text.encode()):
            said = library.nft_ctx_get_error_buffer(context).decode(errors="replace")
            raise RuleError(" ".join(said.split()) or "libnftables failed without a word")
        found: bytes = library.nft_ctx_get_output_buffer(context)
        return found.decode()
    finally:
        library.nft_ctx_free(context)


@functools.cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError as error:
        raise ApisnoopError(f"cannot load libnftables.so.1: {error}; install Debian's libnftables1") from None
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).restype = ctypes.c_char_p
        getattr(library, name).argtypes = [ctypes.c_void_p]
    return library
