"""Reports as JSON."""

import json
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator

from apisnoop.coverage.comparison import compare
from apisnoop.coverage.gaps import gaps_of
from apisnoop.coverage.gate import judge
from apisnoop.coverage.report import GATED
from apisnoop.reports.json_text import render_coverage, render_diff, render_gaps
from tests.coverage.recording import ALICE, NINE, SHOP, Called, recorded
from tests.reports.golden import compare as compare_golden

SCHEMA = json.loads(files("apisnoop.reports").joinpath("schema/report-v1.json").read_text())


def closed(schema: object) -> object:
    """Give the schema with every object closed: readers must accept keys added later, these tests must not."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {key: closed(part) for key, part in schema.items()}
    return {"additionalProperties": False, **parts} if "properties" in schema else parts


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    """The published schema, closed."""
    Draft202012Validator.check_schema(SCHEMA)
    return Draft202012Validator(closed(SCHEMA))


@pytest.mark.parametrize("name", ["report", "empty_report", "hostile_report", "cluster_recording"])
def test_coverage_keeps_to_the_published_schema(request, validator, name):
    """Every report, also an empty or a hostile one, has the published shape, and no key more."""
    made = request.getfixturevalue(name)
    validator.validate(json.loads(render_coverage(made, judge(made, 80, GATED))))


def test_a_document_of_another_shape_is_refused(validator, report):
    """A key that is missing, or one that the schema does not tell of, is noticed; readers accept the latter."""
    document = json.loads(render_coverage(report))
    assert not validator.is_valid(document | {"more": 1})
    assert not validator.is_valid({key: value for key, value in document.items() if key != "origin"})
    assert Draft202012Validator(SCHEMA).is_valid(document | {"more": 1})


def test_coverage_looks_as_it_did(request, report):
    """The document without the operations nobody called is as it was when somebody last looked at it."""
    document = json.loads(render_coverage(report, judge(report, 80, GATED)))
    document["operations"] = [found for found in document["operations"] if found["actions"]]
    compare_golden(request, "coverage.json", json.dumps(document, indent=1) + "\n")


def test_every_operation_is_in_the_document(report):
    """Operations that nobody called are there too, with no calls."""
    operations = json.loads(render_coverage(report))["operations"]
    assert len(operations) == 1123
    assert sum(not found["actions"] for found in operations) == 1123 - 10


def test_an_empty_report_has_no_percentages(empty_report):
    """Where nothing was recorded a share is not known: null, not zero."""
    document = json.loads(render_coverage(empty_report))
    assert document["origin"]["empty"] is True
    assert document["summary"]["current"]["percent"] is None


def test_gaps_keep_to_the_published_schema(validator, catalogue):
    """A ranking has the published shape, with and without a layer of tests."""
    with recorded(catalogue=catalogue) as store:
        validator.validate(json.loads(render_gaps(gaps_of(store, catalogue, now=NINE))))
    with recorded([SHOP[0]], catalogue=catalogue) as store:
        document = json.loads(render_gaps(gaps_of(store, catalogue, now=NINE)))
    validator.validate(document)
    assert document["gaps"][0]["tests"] is None


def test_a_comparison_keeps_to_the_published_schema(validator, catalogue):
    """A comparison has the published shape, also with removed and unknown paths in it."""
    with (
        recorded(catalogue=catalogue) as old,
        recorded([Called(ALICE, "GET", "/api/v1/nodes")], catalogue=catalogue) as new,
    ):
        validator.validate(json.loads(render_diff(compare(old, new, judge=catalogue, now=NINE))))
        validator.validate(json.loads(render_diff(compare(new, old, now=NINE))))
