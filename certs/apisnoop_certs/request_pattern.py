"""A regular expression that only our signing requests match.

An admission policy sees spec.request as base64 of PEM, which is base64 of DER, and its language decodes neither. But a
byte we know at a known place gives characters we know at known places, through both encodings. So the expression holds
every character that does not depend on the key, and leaves the others open: the 64 bytes of the public key and the
signature. That is too little for a second request, and `FENCES` in the policy refuses a second PEM block anyway.
"""

import base64
import re
from itertools import groupby

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from apisnoop_certs.server_names import SERVICE_NAMES, ServerNames
from apisnoop_certs.signing_request import SIGNATURE_LENGTH, make_signing_request

_POINT = 64
"""Bytes of a public key of P-256: two coordinates."""
_LINE = 64
"""Characters in a line of PEM."""
_OPEN = "[A-Za-z0-9+/]"
_HEAD, _TAIL = "-----BEGIN CERTIFICATE REQUEST-----\n", "-----END CERTIFICATE REQUEST-----\n"


def exact_pattern(names: ServerNames) -> str:
    """Match requests with our subject, exactly these alternative names, a P-256 key and no other extension."""
    der, point = _sample(names)
    known = [True] * len(der)
    known[point : point + _POINT] = [False] * _POINT
    known[-SIGNATURE_LENGTH:] = [False] * SIGNATURE_LENGTH
    return f"^{_expression(_armour(der, known))}$"


def subject_pattern() -> str:
    """Match requests with our subject and a P-256 key, whatever their alternative names.

    The lengths of what follows are open, but each is written in two bytes: with the names that every API server has, a
    request is never shorter than 256.
    """
    der, point = _sample(ServerNames((*SERVICE_NAMES, "x" * 60), ()))
    known = [position < point and position not in {2, 3, 6, 7} for position in range(len(der))]
    characters = 8 * point // 6
    # Whole groups of three: the encoding of a broken one would depend on what comes after.
    end = (len(_HEAD) + characters + characters // _LINE) // 3 * 3
    return f"^{_expression(_armour(der, known)[:end])}[A-Za-z0-9+/=]*$"


def _sample(names: ServerNames) -> tuple[bytes, int]:
    """Make a request; return its DER and where the public key's coordinates are in it."""
    request = x509.load_pem_x509_csr(make_signing_request(names).pem.encode())
    point = request.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    der = request.public_bytes(serialization.Encoding.DER)
    return der, der.index(point) + 1


def _armour(der: bytes, known: list[bool]) -> list[tuple[str, bool]]:
    """Encode DER as PEM; each character with whether it is known."""
    body = _encode([(byte, sure) for byte, sure in zip(der, known, strict=True)])
    lines = [[*body[at : at + _LINE], ("\n", True)] for at in range(0, len(body), _LINE)]
    return [*((c, True) for c in _HEAD), *(pair for line in lines for pair in line), *((c, True) for c in _TAIL)]


def _encode(data: list[tuple[int, bool]]) -> list[tuple[str, bool]]:
    """Encode bytes in base64; a character is known when all its six bits are."""
    text = base64.b64encode(bytes(byte for byte, _ in data)).decode()
    sure = [flag for _, flag in data]
    bits = [flag for flag in sure for _ in range(8)]
    # Padding, and the bits filled up in front of it, depend on the length alone.
    bits += [True] * (6 * len(text) - len(bits))
    return [(character, all(bits[6 * at : 6 * at + 6])) for at, character in enumerate(text)]


def _expression(pem: list[tuple[str, bool]]) -> str:
    """Encode PEM in base64, and write the known characters as they are and the others as how many there are."""
    characters = _encode([(ord(character), sure) for character, sure in pem])
    parts = []
    for sure, run in groupby(characters, key=lambda pair: pair[1]):
        text = "".join(character for character, _ in run)
        # No backslashes: the expression passes through CEL and YAML.
        parts.append(re.sub(r"[+]", "[+]", text) if sure else f"{_OPEN}{{{len(text)}}}")
    return "".join(parts)
