"""Reading YAML from anywhere. The library is slow to import and rarely needed, so that only functions import it.

Its C code follows what is nested to any depth and runs out of its stack, which ends the program; its Python code is
slow. So what is nested too deeply is refused before it is loaded.
"""

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

DEEPEST = 500
"""Levels of a document; those of OpenAPI have some twenty."""


def load_yaml(content: bytes) -> object:
    """Load the one document of a stream. Raises yaml.YAMLError, UnicodeDecodeError or ValueError."""
    import yaml  # noqa: PLC0415

    for _ in _events(content):
        pass
    return yaml.load(content, Loader=_loader())  # noqa: S506 - a safe one


def count_documents(content: bytes) -> int:
    """Count the documents of a stream; zero where it is no YAML."""
    import yaml  # noqa: PLC0415

    try:
        return sum(isinstance(event, yaml.DocumentStartEvent) for event in _events(content))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError):
        return 0


def _events(content: bytes) -> "Iterator[yaml.Event]":
    import yaml  # noqa: PLC0415

    depth = 0
    for event in yaml.parse(content, _loader()):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            mark = cast("yaml.Mark", event.start_mark)
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {DEEPEST} levels", problem_mark=mark)
        yield event


def _loader() -> "type[yaml.CSafeLoader | yaml.SafeLoader]":
    import yaml  # noqa: PLC0415

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
