"""Fuzzing the matcher with coverage guidance: `python tests/fuzz/fuzz_match.py -max_total_time=60`.

Options are libFuzzer's; a failing input is written to the current folder, and given as an argument it is run again.
"""

import sys

import atheris

with atheris.instrument_imports(include=["apisnoop.operations"]):
    from apisnoop.operations.catalogue import Catalogue
    from apisnoop.operations.document import parse_document
    from apisnoop.operations.source import load_catalogue

LONGEST_TEMPLATE = 2000
CATALOGUES = [load_catalogue(release) for release in ("1.30", "1.36")]
TEMPLATES = sorted({operation.path for catalogue in CATALOGUES for operation in catalogue.operations.values()})
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "proxy", ""]


def check_request(catalogue: Catalogue, method: str, url: str, content_type: str) -> None:
    """Hold one request against a catalogue; raise AssertionError where the answer cannot be right."""
    match = catalogue.match(method, url, content_type)
    assert (match.operation is None) is (match.finding is not None), "an operation or a finding"
    assert len(match.template) < LONGEST_TEMPLATE, "a bounded template"
    assert match.template.isprintable(), "a template that can be shown"
    assert match == catalogue.match(method, url, content_type), "the same answer twice"
    path, _, query = url.partition("?")
    slowly = catalogue._match_slowly(method, path, query, content_type)
    assert match == slowly, f"tables and trie agree on {method} {url!r}"
    if match.operation is not None and match.verb in VERBS:
        again = catalogue.match_audit(match.verb, url)
        assert again.verb == match.verb, "an audit event has its own verb"


def fuzz(data: bytes) -> None:
    """Read one input as a request, beginning with a known template as often as not, or as a document."""
    provider = atheris.FuzzedDataProvider(data)
    kind = provider.ConsumeIntInRange(0, 8)
    if kind == 0:
        check_document(provider.ConsumeBytes(4096))
        return
    catalogue = provider.PickValueInList(CATALOGUES)
    method = provider.PickValueInList(METHODS) if kind < 7 else provider.ConsumeUnicode(12)
    start = provider.PickValueInList(TEMPLATES) if kind < 5 else ""
    content_type = provider.ConsumeUnicode(20)
    check_request(catalogue, method, start + provider.ConsumeUnicode(400), content_type)


def check_document(content: bytes) -> None:
    """Read a document, which may only be refused with ValueError."""
    try:
        parse_document(content, "fuzz")
    except ValueError as error:
        assert "\n" not in str(error), "one line"  # noqa: PT017


if __name__ == "__main__":
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()
