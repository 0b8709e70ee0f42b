"""Telling a file that holds several documents from one that is broken: only one document can be read.

Asked only once reading has failed, so that it may take its time.
"""

from typing import TYPE_CHECKING, cast

from apisnoop.causes import cause_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

DEEPEST = 500
"""Levels of a YAML document; OpenAPI documents have some twenty."""
TRAILING = "trailing characters"
"""How msgspec names what stands behind the end of a JSON value."""


def say_if_several(content: bytes, error: Exception) -> str:
    """Say that content holds several YAML documents or JSON values; empty where it does not.

    `error` is what the JSON decoder made of it.
    """
    if content.lstrip().startswith((b"{", b"[")):  # not asked whether it is YAML: a hundred thousand brackets take 20 s
        return "it holds more than one JSON value" if TRAILING in str(error) else ""
    documents = count_documents(content)
    return f"it holds {documents:,} YAML documents" if documents > 1 else ""


def count_documents(content: bytes) -> int:
    """Count the documents of a YAML stream; zero where it is no YAML."""
    import yaml  # noqa: PLC0415 - slow to import, and rarely needed

    try:
        return sum(isinstance(event, yaml.DocumentStartEvent) for event in events_of(content))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError):
        return 0


def events_of(content: bytes) -> "Iterator[yaml.Event]":
    """Give the events of a YAML stream. Raises yaml.YAMLError, also for what is nested deeper than DEEPEST.

    To load that, the library's C code would run out of its stack, which ends the program.
    """
    import yaml  # noqa: PLC0415

    depth = 0
    for event in yaml.parse(content, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            mark = cast("yaml.Mark", event.start_mark)
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {DEEPEST} levels", problem_mark=mark)
        yield event


def why_unreadable(content: bytes, json_error: Exception, yaml_error: Exception) -> str:
    """Say where content breaks, by the decoder that it was probably meant for."""
    is_yaml = hasattr(yaml_error, "problem_mark") and not content.lstrip().startswith((b"{", b"["))
    return cause_of(yaml_error if is_yaml else json_error)
