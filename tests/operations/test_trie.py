"""The path trie."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisnoop.operations.trie import PathTrie, erase_names

TEMPLATES = [
    "/version/",
    "/api/v1/nodes",
    "/api/v1/nodes/{name}",
    "/api/v1/nodes/{name}/proxy",
    "/api/v1/nodes/{name}/proxy/{path}",
    "/logs/",
    "/logs/{logpath}",
]


@pytest.fixture
def trie() -> PathTrie[str]:
    """A trie whose leaves are the templates themselves."""
    made: PathTrie[str] = PathTrie()
    for template in TEMPLATES:
        made.insert(template, template)
    return made


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/version", "/version/"),
        ("/version/", "/version/"),
        ("/api/v1/nodes", "/api/v1/nodes"),
        ("/api/v1/nodes/", "/api/v1/nodes"),
        ("/api/v1/nodes//", "/api/v1/nodes"),
        ("/api/v1/nodes/proxy", "/api/v1/nodes/{name}"),
        ("/api/v1/nodes/proxy/", "/api/v1/nodes/{name}"),
        ("/api/v1/nodes/proxy/proxy", "/api/v1/nodes/{name}/proxy"),
        ("/api/v1/nodes/n/proxy/", "/api/v1/nodes/{name}/proxy/{path}"),
        ("/api/v1/nodes/n/proxy/a", "/api/v1/nodes/{name}/proxy/{path}"),
        ("/api/v1/nodes/n/proxy/a//b/", "/api/v1/nodes/{name}/proxy/{path}"),
        ("/logs", "/logs/"),
        ("/logs/", "/logs/"),
        ("/logs/a/b.log", "/logs/{logpath}"),
        ("/api/v1/nodes//proxy", "/api/v1/nodes/{name}/proxy"),
        ("/api/v1/nodes/n/status", None),
        ("/api/v1/Nodes", None),
        ("//api/v1/nodes", None),
        ("/api//v1/nodes", None),
        ("/", None),
        ("", None),
    ],
)
def test_a_path_finds_the_template_that_it_fills(trie: PathTrie[str], path: str, template: str | None) -> None:
    """One wildcard a level, greedy tails, slashes at the end: as the server routes."""
    assert trie.find(path) == template


def test_a_literal_goes_first_and_the_search_steps_back() -> None:
    """An aggregated API may have a wildcard beside a literal; where the literal leads nowhere the wildcard is tried."""
    trie: PathTrie[str] = PathTrie()
    for template in ("/m/{resource}/{name}/{metric}", "/m/namespaces/{namespace}/{resource}/{name}/{metric}"):
        trie.insert(template, template)
    assert trie.find("/m/namespaces/shop/pods/web/cpu") == "/m/namespaces/{namespace}/{resource}/{name}/{metric}"
    assert trie.find("/m/namespaces/shop/cpu") == "/m/{resource}/{name}/{metric}"
    assert trie.find("/m/namespaces/shop") is None


def test_shapes_are_equal_when_only_names_differ() -> None:
    """{name} and {namespace} are one thing to a path; a greedy tail is another."""
    assert erase_names("/a/{name}/b") == erase_names("/a/{namespace}/b/")
    assert erase_names("/a/{name}") != erase_names("/a/{path}")


@given(st.lists(st.sampled_from(["{a}", "x", "y", "{path}", "z"]), min_size=1, max_size=6), st.data())
def test_every_filled_template_is_found(words: list[str], data: st.DataObject) -> None:
    """Names that look like literals, and slashes in the tail, lead back to the template."""
    if "{path}" in words:
        words = words[: words.index("{path}") + 1]
    trie: PathTrie[str] = PathTrie()
    template = "/" + "/".join(words)
    trie.insert(template, template)
    fills = {"{a}": st.sampled_from(["x", "proxy", "{", "é"]), "{path}": st.sampled_from(["p", "p/q//r", "x/y/"])}
    path = "/" + "/".join(data.draw(fills[word]) if word in fills else word for word in words)
    assert trie.find(path) == template
