"""Look for a secret in whatever was written, in the forms in which secrets are carried and printed."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote_plus


def forms_of(secret: str) -> dict[str, bytes]:
    """Give the byte strings, by name, any of which in a file shows that the secret, or its base64, is in it."""
    plain = secret.encode()
    once = base64.b64encode(plain)
    return {
        "plain": plain,
        "UTF-16": secret.encode("utf-16-le"),
        "JSON": json.dumps(secret)[1:-1].encode(),
        "URL": quote_plus(secret).encode(),
        "hexadecimal": plain.hex().encode(),
        "backwards": plain[::-1],
        **{f"base64, {shift} bytes in": form for shift, form in enumerate(_aligned(plain))},
        **{f"base64 of base64, {shift} bytes in": form for shift, form in enumerate(_aligned(once))},
    }


def found_in(haystack: bytes, secret: str) -> list[str]:
    """Name the forms in which the secret is in the haystack; base64 in either alphabet."""
    folded = haystack.replace(b"-", b"+").replace(b"_", b"/")
    return [
        name
        for name, form in forms_of(secret).items()
        if form in haystack or (name.startswith("base64") and form in folded)
    ]


def _aligned(plain: bytes) -> list[bytes]:
    """Encode as base64 as if 0, 1 or 2 bytes came before, without the characters that depend on what is around."""
    forms = []
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + plain)
        first = -(-shift * 8 // 6)
        forms.append(encoded[first : (shift + len(plain)) * 8 // 6])
    return forms
