"""Telling a file that holds several documents from one that is broken: only one document can be read.

Asked only once reading has failed, so that it may take its time.
"""

from apisnoop.causes import cause_of

TRAILING = "trailing characters"
"""How msgspec names what stands behind the end of a JSON value."""


def say_if_several(content: bytes, error: Exception) -> str:
    """Say that content holds several YAML documents or JSON values; empty where it does not.

    `error` is what the JSON decoder made of it.
    """
    if TRAILING in str(error) and content.lstrip().startswith((b"{", b"[")):
        return "it holds more than one JSON value"
    documents = count_documents(content)
    return f"it holds {documents:,} YAML documents" if documents > 1 else ""


def count_documents(content: bytes) -> int:
    """Count the documents of a YAML stream; zero where it is no YAML."""
    import yaml  # noqa: PLC0415 - slow to import, and rarely needed

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return sum(isinstance(event, yaml.DocumentStartEvent) for event in yaml.parse(content, loader))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        return 0


def why_unreadable(content: bytes, json_error: Exception, yaml_error: Exception) -> str:
    """Say where content breaks, by the decoder that it was probably meant for."""
    is_yaml = hasattr(yaml_error, "problem_mark") and not content.lstrip().startswith((b"{", b"["))
    return cause_of(yaml_error if is_yaml else json_error)
