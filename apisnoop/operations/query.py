"""The query string as the API server reads it: Go's parsing of pairs, and the few keys that decide what is meant.

Nothing else of a query is looked at or kept here; which keys may be stored is decided in `apisnoop.calls`.
"""

import re
from urllib.parse import unquote_to_bytes


def _hexadecimal_forms(code: int) -> set[str]:
    lower = f"{code:02x}"
    return {lower, lower.upper(), lower[0] + lower[1].upper(), lower[0].upper() + lower[1]}


_READ = frozenset({"watch", "fieldSelector", "dryRun", "limit", "timeoutSeconds"})
_PLAIN_KEYS = re.compile(r"[^=&%]*(?:=[^&]*)?(?:&[^=&%]*(?:=[^&]*)?)*")
"""A query none of whose keys is percent-encoded."""
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ASCII = {pair: chr(code) for code in range(128) for pair in _hexadecimal_forms(code)}
_FALSE = frozenset({"0", "false"})
_NAME_FIELD = "metadata.name"


def hides_keys(query: str) -> bool:
    """Tell whether a key of the query is percent-encoded, so that looking for its name does not find it."""
    return "%" in query and _PLAIN_KEYS.fullmatch(query) is None


def parse_query(query: str) -> dict[str, str]:
    """Read the keys that matter here, each with its FIRST value, dropping the pairs that Go's url.Values drops.

    Those are pairs with a bad percent-encoding or with a semicolon (https://pkg.go.dev/net/url#ParseQuery).
    """
    values: dict[str, str] = {}
    for pair in query.split("&"):
        raw_key, _, raw_value = pair.partition("=")
        key = decode_percent(raw_key.replace("+", " ")) if "%" in raw_key else raw_key
        if key not in _READ or key in values or ";" in pair:
            continue
        value = decode_percent(raw_value.replace("+", " "))
        if value is not None:
            values[key] = value
    return values


def is_watch(values: dict[str, str]) -> bool:
    """Tell whether `watch` is set: any value but 0 and false, so also the empty one."""
    watch = values.get("watch")
    return watch is not None and watch.lower() not in _FALSE


def is_dry_run(values: dict[str, str]) -> bool:
    """Tell whether nothing is to be kept; All is the only value the server accepts."""
    return values.get("dryRun") == "All"


def selected_name(values: dict[str, str]) -> str:
    """Give the one object name that the field selector asks for, or an empty string.

    As in the server, a list option that cannot be decoded makes the whole selector count as absent.
    """
    selector = values.get("fieldSelector", "")
    if _NAME_FIELD not in selector:
        return ""
    if not (_is_integer(values.get("limit", "0")) and _is_integer(values.get("timeoutSeconds", "0"))):
        return ""
    name = _name_in(selector)
    return "" if name in {".", ".."} or "/" in name or "%" in name else name


def decode_percent(text: str) -> str | None:
    """Undo percent-encoding; None where a % is not followed by two hexadecimal digits, which the server refuses."""
    if "%" not in text:
        return text
    first, *others = text.split("%")
    try:
        return first + "".join([_ASCII[other[:2]] + other[2:] for other in others])
    except KeyError:
        if _BAD_ESCAPE.search(text):
            return None
    # Bytes that are no UTF-8 become U+FFFD: what is kept must be text, and no name in Kubernetes has them.
    return unquote_to_bytes(text).decode("utf-8", "replace")


def _name_in(selector: str) -> str:
    field, _, value = selector.partition("=")
    if field == _NAME_FIELD and _is_plain(value):
        return value
    terms = [_parse_term(term) for term in sorted(_split_terms(selector)) if term]
    if None in terms:
        return ""
    return next((term[2] for term in terms if term and term[0] == _NAME_FIELD and term[1] != "!="), "")


def _is_integer(text: str) -> bool:
    digits = text[1:] if text[:1] in {"+", "-"} else text
    return digits.isascii() and digits.isdigit() and (len(digits) < 19 or -(2**63) <= int(text[:40]) < 2**63)


def _split_terms(selector: str) -> list[str]:
    """Split at the commas that no backslash precedes."""
    if "\\" not in selector:
        return selector.split(",")
    terms, start, escaped = [], 0, False
    for index, character in enumerate(selector):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == ",":
            terms.append(selector[start:index])
            start = index + 1
    return [*terms, selector[start:]]


def _parse_term(term: str) -> tuple[str, str, str] | None:
    """Read `field=value`, `field==value` or `field!=value`; None where the server refuses the selector."""
    equals = term.find("=")
    if equals < 0:
        return None
    if equals > 0 and term[equals - 1] == "!":
        field, operator, value = term[: equals - 1], "!=", term[equals + 1 :]
    else:
        field, operator, value = term[:equals], "=", term[equals + 1 :].removeprefix("=")
    unescaped = _unescape(value)
    return None if unescaped is None else (field, operator, unescaped)


def _is_plain(value: str) -> bool:
    return not ("," in value or "=" in value or "\\" in value)


def _unescape(value: str) -> str | None:
    if _is_plain(value):
        return value
    characters, escaped = [], False
    for character in value:
        if escaped and character not in "\\,=":
            return None
        if not escaped and character in "\\,=":
            if character != "\\":
                return None
            escaped = True
            continue
        characters.append(character)
        escaped = False
    return None if escaped else "".join(characters)
