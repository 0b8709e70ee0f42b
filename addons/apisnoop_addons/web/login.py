"""Who may look: whoever knows the password of which only a hash is known here.

The hash is read at each attempt, so that a Secret may come later than the process, or change. Where there is none,
nobody gets in.
"""

from pathlib import Path

import argon2
import bcrypt
from mitmproxy.tools.web.webaddons import WebAuth

_BCRYPT = ("$2a$", "$2b$", "$2y$")


class HashedLogin(WebAuth):
    """mitmweb's authentication, by a hash in a file: bcrypt, which Helm can make, or argon2, as mitmproxy has it."""

    name = "webauth"

    def __init__(self, file: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._file = file

    def is_valid_password(self, password: str) -> bool:
        """Tell whether a password is the one."""
        try:
            known = self._file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeError):
            return False
        return bool(password) and verify(known, password)


def verify(known: str, password: str) -> bool:
    """Tell whether `known` is the hash of a password; what is no hash is nobody's."""
    try:
        if known.startswith(_BCRYPT):
            return bcrypt.checkpw(password.encode(), known.encode())
        return argon2.PasswordHasher().verify(known, password)
    except (ValueError, argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False  # ValueError: bcrypt takes 72 bytes at most
