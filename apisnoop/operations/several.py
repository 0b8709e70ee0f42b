"""Telling a file that holds several documents from one that is broken: only one document can be read.

Asked only once reading has failed, so that it may take its time.
"""

from apisnoop.causes import cause_of
from apisnoop.operations.yaml_text import count_documents

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


def why_unreadable(content: bytes, json_error: Exception, yaml_error: Exception) -> str:
    """Say where content breaks, by the decoder that it was probably meant for."""
    is_yaml = hasattr(yaml_error, "problem_mark") and not content.lstrip().startswith((b"{", b"["))
    return cause_of(yaml_error if is_yaml else json_error)
