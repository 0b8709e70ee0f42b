"""The query string, read as the API server reads it."""

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.operations.query import decode_percent, hides_keys, is_dry_run, is_watch, parse_query, selected_name


@pytest.mark.parametrize(
    ("query", "watching"),
    [
        ("watch=true", True),
        ("watch=1", True),
        ("watch", True),
        ("watch=", True),
        ("watch=no", True),
        ("watch=0", False),
        ("watch=false", False),
        ("watch=False", False),
        ("watch=FALSE", False),
        ("watch=%30", False),
        ("watch=1&watch=0", True),
        ("watch=0&watch=1", False),
        ("%77atch=1", True),
        ("Watch=1", False),
        ("allowWatchBookmarks=true", False),
        ("watch=1;a=b", False),
        ("watch=%zz", False),
        ("watch=%zz&watch=1", True),
        ("", False),
    ],
)
def test_watch_is_set_by_anything_but_0_and_false(query: str, watching: bool) -> None:
    """The first usable value of `watch` decides; pairs that Go drops do not count."""
    assert is_watch(parse_query(query)) is watching


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("fieldSelector=metadata.name=web", "web"),
        ("fieldSelector=metadata.name%3Dweb", "web"),
        ("fieldSelector=metadata.name%3D%3Dweb", "web"),
        ("field%53elector=metadata.name%3Dweb", "web"),
        ("fieldSelector=metadata.name%3Dweb&limit=5", "web"),
        ("fieldSelector=metadata.name%3Dweb&limit=%2B5&timeoutSeconds=-1", "web"),
        ("fieldSelector=spec.nodeName%3Dn,metadata.name%3Dweb", "web"),
        ("fieldSelector=metadata.name%3Dweb,spec.nodeName%3Dn", "web"),
        ("fieldSelector=metadata.name%3Dweb,", "web"),
        ("fieldSelector=metadata.name%3Dweb,metadata.name%3Dbee", "bee"),
        ("fieldSelector=metadata.name%3Dweb&fieldSelector=metadata.name%3Dother", "web"),
        ("fieldSelector=metadata.name%3Da\\,b", "a,b"),
        ("fieldSelector=metadata.name%3Da\\=b", "a=b"),
        ("fieldSelector=metadata.name%3Dfoo+bar", "foo bar"),
        ("fieldSelector=metadata.name!%3Dweb", ""),
        ("fieldSelector=metadata.name%3Dweb,nonsense", ""),
        ("fieldSelector=metadata.name%3Da\\x", ""),
        ("fieldSelector=metadata.name%3Da\\", ""),
        ("fieldSelector=metadata.name%3Da%3Db%3Dc", ""),
        ("fieldSelector=metadata.name%3D", ""),
        ("fieldSelector=metadata.name%3D..", ""),
        ("fieldSelector=metadata.name%3Da/b", ""),
        ("fieldSelector=metadata.name%3Da%2525", ""),
        ("fieldSelector=metadata.name%3Dweb&limit=many", ""),
        ("fieldSelector=metadata.name%3Dweb&limit=9223372036854775808", ""),
        ("fieldSelector=metadata.name%3Dweb&timeoutSeconds=", ""),
        ("fieldSelector=spec.nodeName%3Dn", ""),
        ("labelSelector=metadata.name%3Dweb", ""),
    ],
)
def test_a_field_selector_names_one_object(query: str, name: str) -> None:
    """Only an exact match on metadata.name does, and only when the server can decode all list options."""
    assert selected_name(parse_query(query)) == name


@pytest.mark.parametrize(
    ("query", "dry"), [("dryRun=All", True), ("dryRun=", False), ("dryRun=all", False), ("", False)]
)
def test_only_all_is_a_dry_run(query: str, dry: bool) -> None:
    """The server refuses every other value of dryRun."""
    assert is_dry_run(parse_query(query)) is dry


def test_keys_that_do_not_matter_are_not_kept() -> None:
    """A query may hold anything; only what decides on verb and detail is read."""
    assert parse_query("token=secret&watch=1&labelSelector=a") == {"watch": "1"}


@pytest.mark.parametrize(
    ("query", "hidden"),
    [("a=%20&b=1", False), ("%61=1", True), ("a=1&%62=%20", True), ("a=b=c%20", False), ("%", True), ("a&b%", True)],
)
def test_encoded_keys_are_noticed(query: str, hidden: bool) -> None:
    """Looking for a key's name in the text is only allowed when no key is encoded."""
    assert hides_keys(query) is hidden


@given(st.text())
def test_decoding_undoes_encoding(text: str) -> None:
    """Whatever was encoded comes back, be it ASCII or not."""
    assert decode_percent(quote(text, safe="")) == text


@given(st.text(alphabet="%0123456789abcdefABCDEFxyz/é"))
def test_decoding_agrees_with_the_library_or_refuses(text: str) -> None:
    """A % without two hexadecimal digits is refused; all else is decoded as urllib does."""
    decoded = decode_percent(text)
    assert decoded is None or decoded == unquote(text)


@pytest.mark.parametrize("text", ["%", "%2", "a%zz", "%2g", "%%20", "%2\u0663"])
def test_broken_encoding_is_refused(text: str) -> None:
    """As in Go, where the request fails with 400."""
    assert decode_percent(text) is None


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    """What is kept must be text that any store and terminal can hold."""
    assert decode_percent("a%FFb") == "a\ufffdb"


@given(st.text())
def test_no_query_makes_reading_fail(query: str) -> None:
    """Any text may come after the question mark."""
    values = parse_query(query)
    assert isinstance(selected_name(values), str)
    assert set(values) <= {"watch", "fieldSelector", "dryRun", "limit", "timeoutSeconds"}
