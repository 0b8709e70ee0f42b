"""Holding an OpenAPI document against its specification, and against what a catalogue can use of it.

Equal findings are told once, with how many there are: a document of Kubernetes repeats itself a hundred times.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from apisnoop.decoding import decoder_of
from apisnoop.errors import ApisnoopError
from apisnoop.operations.document import Problem, parse_document, unpack
from apisnoop.operations.yaml_text import load_yaml
from apisnoop.reports.wording import counted, number

LONGEST = 300
"""Characters of what a validator says."""


DEFAULT = "default"


class Finding(msgspec.Struct, frozen=True):
    """Something wrong with a document."""

    kind: str
    """`invalid`: against the OpenAPI specification; `unused`: we could not use it; `default`: a default value does not
    fit its own schema, which the documents of every Kubernetes have ({} where something is required)."""
    where: str
    what: str
    count: int = 1
    """How many of them, where the places are not known."""


class Verdict(msgspec.Struct, frozen=True):
    """What the check of one document found."""

    name: str
    openapi: str
    operations: int
    not_deprecated: int
    findings: list[Finding]

    @property
    def wrong(self) -> list[Finding]:
        """The findings that are somebody's mistake."""
        return [finding for finding in self.findings if finding.kind != DEFAULT]

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.wrong


def check_document(name: str, content: bytes | Problem) -> Verdict:
    """Validate one document and read it as a catalogue would."""
    if isinstance(content, Problem):
        return Verdict(name, "", 0, 0, [Finding("unused", content.where, content.what)])
    try:
        document = parse_document(content, name)
    except ValueError as error:
        return Verdict(name, "", 0, 0, [Finding("invalid", "document", str(error))])
    unused = [Finding("unused", problem.where, problem.what) for problem in document.problems]
    current = sum(not operation.deprecated for operation in document.operations)
    findings = [*_validate(unpack(content, name)), *unused]
    return Verdict(name, document.openapi, len(document.operations), current, findings)


def render_verdict(verdict: Verdict) -> str:
    """Write a verdict for people: what is wrong, equal findings on one line with the first place and their number."""
    wrong = verdict.wrong
    version = f"OpenAPI {verdict.openapi}, " if verdict.openapi else ""
    places: dict[tuple[str, str], list[str]] = {}
    for finding in wrong:
        places.setdefault((finding.kind, finding.what), []).append(finding.where)
    lines = [f"  {kind}  {_where(found)}  {what}" for (kind, what), found in places.items()]
    return "\n".join([f"{verdict.name}: {version}{_size([verdict])}: {_judged(len(wrong))}", *lines])


def render_total(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Say in lines what all documents come to, where there are several, and what every Kubernetes gets wrong."""
    wrong = sum(len(verdict.wrong) for verdict in verdicts)
    if len(verdicts) > 1:
        bad = sum(not verdict.is_good for verdict in verdicts)
        within = f" in {counted(bad, 'document')}" if bad else ""
        yield f"{counted(len(verdicts), 'document')}, {_size(verdicts)}: {_judged(wrong)}{within}"
    defaults = [finding.count for verdict in verdicts for finding in verdict.findings if finding.kind == DEFAULT]
    if defaults:
        within = f" in {counted(len(defaults), 'document')}" if len(verdicts) > 1 else ""
        does = "does not fit its own schema" if sum(defaults) == 1 else "do not fit their own schemas"
        yield f"not counted: {counted(sum(defaults), 'default value')}{within} {does}, as in every Kubernetes"


def _size(verdicts: Sequence[Verdict]) -> str:
    operations = sum(verdict.operations for verdict in verdicts)
    return f"{counted(operations, 'operation')}, {number(sum(one.not_deprecated for one in verdicts))} not deprecated"


def _judged(wrong: int) -> str:
    return f"{number(wrong)} found" if wrong else "fine"


def _where(places: Sequence[str]) -> str:
    return places[0] if len(places) == 1 else f"{places[0]} and {counted(len(places) - 1, 'other place')}"


def _validate(content: bytes) -> list[Finding]:
    """Hold a document, JSON or YAML, against the OpenAPI specification."""
    try:
        from openapi_spec_validator.shortcuts import get_validator_cls  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ApisnoopError(
            "spec check needs openapi-spec-validator, which is not installed: pip install 'apisnoop[spec-check]'"
        ) from None
    try:
        loaded: Any = decoder_of(Any).decode(content)
    except msgspec.DecodeError:
        loaded = load_yaml(content)
    found = list(_invalid(get_validator_cls(loaded)(loaded), loaded))
    invalid = list(dict.fromkeys(finding for finding in found if finding.kind == "invalid"))
    defaults = len(found) - sum(finding.kind == "invalid" for finding in found)
    told = Finding(DEFAULT, "document", "default values that do not fit their schemas", defaults)
    return [*invalid, told] if defaults else invalid


def _invalid(validator: Any, document: object) -> Iterator[Finding]:  # noqa: ANN401 - one class a version of OpenAPI
    try:
        for error in validator.iter_errors():
            where = " > ".join(str(step) for step in error.absolute_path)
            # A default value is validated on its own, so its errors do not say where it is.
            kind = "invalid" if where or error.instance is document else DEFAULT
            yield Finding(kind, where or "document", error.message.splitlines()[0][:LONGEST])
    except Exception as error:  # a library's, which goes on with what it found to be malformed: this is a finding, too
        what = f"the validator gave up here: {type(error).__name__} {error}".splitlines()[0].rstrip()
        yield Finding("invalid", "document", what[:LONGEST])
