"""Reading files that a pod has a say in, without following where it may point.

A pod chooses what lies at a path inside it: a link to a file of the node, a FIFO that never ends, a device. openat2(2)
with RESOLVE_IN_ROOT keeps absolute links and `..` below the pod's own root.
"""

import ctypes
import errno
import os
import stat
import struct
from pathlib import Path

LARGEST = 1 << 20
_SYS_OPENAT2 = 437  # the same on every architecture since Linux 5.6
_RESOLVE_IN_ROOT = 0x10
_RESOLVE_NO_MAGICLINKS = 0x02
_OPEN_HOW = struct.Struct("=QQQ")


class UnsafeFileError(OSError):
    """There is something, but no file of a reasonable size."""


def read_in_root(root: Path, path: str, largest: int = LARGEST) -> bytes:
    """Read the regular file at `path` as a process whose root folder is `root` would find it.

    Raises FileNotFoundError, UnsafeFileError for anything but a regular file of at most `largest` bytes, or OSError.
    """
    folder = os.open(root, os.O_PATH | os.O_CLOEXEC)
    try:
        # O_NONBLOCK: to open a FIFO must not wait for its writer.
        descriptor = _openat2(folder, path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnsafeFileError(errno.EINVAL, "is no regular file", path)
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise UnsafeFileError(errno.EFBIG, f"is larger than {largest} bytes", path)
    return content


def _openat2(folder: int, path: str, flags: int) -> int:
    how = _OPEN_HOW.pack(flags, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.syscall(_SYS_OPENAT2, folder, path.encode(), how, len(how))
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return int(descriptor)
