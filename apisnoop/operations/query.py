"""The query string as the API server reads it: Go's parsing of pairs, and the few keys that decide what is meant.

Nothing else of a query is looked at or kept here; which keys may be stored is decided in `apisnoop.calls`.
"""

from urllib.parse import unquote_to_bytes

_FALSE = frozenset({"0", "false"})
_MUST_BE_INTEGER = ("limit", "timeoutSeconds")
_NAME_FIELD = "metadata.name"


def parse_query(query: str) -> dict[str, str]:
    """Read a query into the FIRST value of each key, dropping the pairs that Go's url.Values drops.

    Those are pairs with a bad percent-encoding or with a semicolon (https://pkg.go.dev/net/url#ParseQuery).
    """
    values: dict[str, str] = {}
    for pair in query.split("&"):
        if not pair or ";" in pair:
            continue
        key, _, value = pair.partition("=")
        decoded_key, decoded_value = _decode(key), _decode(value)
        if decoded_key is not None and decoded_value is not None:
            values.setdefault(decoded_key, decoded_value)
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
    if not all(_is_integer(values[key]) for key in _MUST_BE_INTEGER if key in values):
        return ""
    terms = [_parse_term(term) for term in sorted(_split_terms(values.get("fieldSelector", ""))) if term]
    if None in terms:
        return ""
    name = next((term[2] for term in terms if term and term[0] == _NAME_FIELD and term[1] != "!="), "")
    return "" if name in {".", ".."} or "/" in name or "%" in name else name


def decode_percent(text: str) -> str | None:
    """Undo percent-encoding; None where a % is not followed by two hexadecimal digits, which the server refuses."""
    if "%" not in text:
        return text
    _, *escapes = text.split("%")
    if not all(len(escape) >= 2 and _is_hexadecimal(escape[:2]) for escape in escapes):
        return None
    # surrogateescape keeps bytes that are no UTF-8 apart from one another; Go strings hold them as they are.
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


def _decode(text: str) -> str | None:
    return decode_percent(text.replace("+", " "))


def _is_hexadecimal(text: str) -> bool:
    return all(character in "0123456789abcdefABCDEF" for character in text)


def _is_integer(text: str) -> bool:
    digits = text[1:] if text[:1] in {"+", "-"} else text
    return digits.isascii() and digits.isdigit() and -(2**63) <= int(digits[:30]) < 2**63


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


def _unescape(value: str) -> str | None:
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
