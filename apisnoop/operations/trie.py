"""The path trie: from the parts of a path to the template that it fills.

One wildcard per level, since `{name}` and `{namespace}` are one thing to a path, and a greedy tail below a node for
`{path}` and `{logpath}`. A literal goes before the wildcard and the wildcard before the tail; where that leads
nowhere the search steps back, which Kubernetes' own paths never need but those of aggregated APIs may.
"""

from apisnoop.operations.request_info import split_path

_GREEDY = frozenset({"{path}", "{logpath}"})


class _Node[Leaf]:
    __slots__ = ("closed", "greedy", "leaf", "literals", "wildcard")

    def __init__(self) -> None:
        self.literals: dict[str, _Node[Leaf]] = {}
        self.wildcard: _Node[Leaf] | None = None
        self.greedy: Leaf | None = None
        self.leaf: Leaf | None = None
        self.closed: Leaf | None = None
        """The leaf, if its template ends in a slash: it goes before a greedy tail that is empty (/logs/)."""


class PathTrie[Leaf]:
    """A map from path templates to leaves of any type, looked up by paths."""

    def __init__(self) -> None:
        self._root: _Node[Leaf] = _Node()

    def insert(self, template: str, leaf: Leaf) -> None:
        """Keep a leaf for a template; a template equal but for its placeholders' names replaces the earlier one."""
        node = self._root
        for part in split_path(template)[1:]:
            if part in _GREEDY:
                node.greedy = leaf
                return
            node = self._step(node, part)
        node.leaf = leaf
        node.closed = leaf if template.endswith("/") else None

    def find(self, path: str) -> Leaf | None:
        """Find the leaf for a decoded path. A slash at its end counts only where a greedy tail may begin.

        As in the server's router, an empty part fills a placeholder, and a path that begins with two slashes is none.
        """
        if path.startswith("//"):
            return None
        parts = split_path(path)
        return _find(self._root, [*parts, ""] if path.endswith("/") else parts, 1)

    @staticmethod
    def _step(node: _Node[Leaf], part: str) -> _Node[Leaf]:
        if part.startswith("{"):
            if node.wildcard is None:
                node.wildcard = _Node()
            return node.wildcard
        return node.literals.setdefault(part, _Node())


def erase_names(template: str) -> str:
    """Give a template's shape: equal shapes match the same paths."""
    parts = split_path(template)
    return "/".join("{" if part.startswith("{") and part not in _GREEDY else part for part in parts)


def _find[Leaf](node: _Node[Leaf], parts: list[str], at: int) -> Leaf | None:
    if at == len(parts):
        return node.leaf
    part = parts[at]
    if not part and at == len(parts) - 1:
        return node.closed or node.greedy or node.leaf
    child = node.literals.get(part)
    found = _find(child, parts, at + 1) if child is not None else None
    if found is None and node.wildcard is not None:
        found = _find(node.wildcard, parts, at + 1)
    return node.greedy if found is None else found
