"""What may be kept of a URL."""

from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.calls.redaction import KEPT_KEYS, LONGEST, kept_url


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("/api/v1/pods", "/api/v1/pods"),
        ("/api/v1/pods?watch=true&resourceVersion=7", "/api/v1/pods?watch=true&resourceVersion=7"),
        ("/api/v1/pods?limit=5&continue=ZXlK&fieldManager=helm", "/api/v1/pods?limit=5&fieldManager=helm"),
        (
            "/api/v1/namespaces/a/pods/p/exec?command=mysql&command=-phunter2&stdin=true",
            "/api/v1/namespaces/a/pods/p/exec?stdin=true",
        ),
        ("/api/v1/namespaces/a/services/s/proxy/in?token=abc&limit=1", "/api/v1/namespaces/a/services/s/proxy/in"),
        ("/api/v1/namespaces/a/services/s/pro%78y/x?limit=1", "/api/v1/namespaces/a/services/s/pro%78y/x"),
        ("/api/v1/pods?%77atch=1", "/api/v1/pods?%77atch=1"),
        ("/api/v1/pods?Watch=1&=2&&x", "/api/v1/pods"),
        ("/api/v1/pods?watch=1#secret", "/api/v1/pods?watch=1"),
        ("/api/v1/pods#?watch=secret", "/api/v1/pods"),
    ],
)  # fmt: skip
def test_only_keys_of_the_list_stay(url, kept):
    """Command lines, continue tokens, keys of what lies behind a proxy and everything unknown are left out."""
    assert kept_url(url) == kept


def test_a_url_is_cut():
    """A URL of 64 KB does not get into a log or report."""
    assert len(kept_url("/api/v1/namespaces/" + "a" * 65_536)) == LONGEST


@given(st.lists(st.tuples(st.text(), st.text())))
def test_no_other_key_ever_stays(pairs):
    """Whatever the query holds, each key of the result is one of the list."""
    query = "&".join(f"{key}={value}" for key, value in pairs)
    for pair in filter(None, kept_url(f"/x?{query}").partition("?")[2].split("&")):
        assert unquote_plus(pair.partition("=")[0]) in KEPT_KEYS
