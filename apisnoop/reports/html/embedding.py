"""Putting data and programs into a page so that neither can break out of its place.

The page's policy lets a browser run and apply exactly what was put in, by hash, and load nothing from anywhere.
"""

import base64
import hashlib
from collections.abc import Iterable

import msgspec

UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""Characters that could end a script element, begin a comment in one, or end a line of JavaScript."""


def json_for_script(value: object) -> str:
    """Encode a value as JSON that can stand inside a script element, whatever its strings hold."""
    text = msgspec.json.encode(value).decode()
    for character, escaped in UNSAFE.items():
        text = text.replace(character, escaped)
    return text


def content_policy(scripts: Iterable[str], styles: Iterable[str]) -> str:
    """Give the Content-Security-Policy under which only these inline scripts and styles count.

    A hash covers the text between the tags, byte for byte (https://www.w3.org/TR/CSP3/#match-element-to-source-list).
    """
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_source, scripts))}",
            f"style-src {' '.join(map(_source, styles))}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
