"""Applying rules that are text, in a pod's network namespace, through libnftables.

It takes what nft(8) takes, without its process; its context costs 130 kB at once and more with use, so it is there for
a moment only. What has to be fast, or is done often, goes without it (`netfilter`).
"""

import ctypes
import functools

from apisnoop.errors import ApisnoopError
from apisnoop_tproxy.rules import TABLE, render_removal

_OUTPUT_STATELESS = 1 << 2
"""NFT_CTX_OUTPUT_STATELESS of nftables/libnftables.h."""


class RuleError(Exception):
    """The kernel, or libnftables, refused a transaction."""


def apply_rules(text: str) -> None:
    """Carry out a transaction in the calling thread's network namespace. Raises RuleError; then nothing has changed."""
    _run(text)


def remove_table() -> None:
    """Delete our table in the calling thread's network namespace, if it is there. Raises RuleError."""
    _run(render_removal())


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
