"""Which of Helm's records are of our chart."""

import base64
import gzip
import json

import pytest

from apisnoop.cli.releases import Record, Revision, chart_of, our_revisions
from tests.cli.fake_api import FakeApi, made


def packed(chart, compress=gzip.compress):
    """Give a release as Helm keeps it, in a Secret as the API gives it."""
    release = json.dumps({"name": "x", "chart": {"metadata": {"name": chart, "version": "1"}}}).encode()
    return {"release": base64.b64encode(base64.b64encode(compress(release))).decode()}


def record(release, chart, namespace="apisnoop"):
    """Make the Secret of a release's first revision."""
    labels = {"owner": "helm", "name": release, "version": "1"}
    return made("Secret", f"sh.helm.release.v1.{release}.v1", namespace, labels=labels, data=packed(chart))


@pytest.mark.parametrize("compress", [gzip.compress, bytes])
def test_the_charts_name_is_read_from_a_record(compress):
    """Old versions of Helm did not compress."""
    assert chart_of(Record(packed("apisnoop", compress))) == "apisnoop"


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"release": "no base64!"},
        {"release": "é"},
        {"release": base64.b64encode(base64.b64encode(b"\x1f\x8bno gzip")).decode()},
        {"release": base64.b64encode(base64.b64encode(gzip.compress(b'{"chart":"\xff"}'))).decode()},
        {"release": base64.b64encode(base64.b64encode(gzip.compress(b'{"chart":null}'))).decode()},
        {"release": base64.b64encode(base64.b64encode(b"{}")).decode()},
    ],
)
def test_a_record_that_cannot_be_read_is_of_no_chart(data):
    """Then it is not ours to remove."""
    assert chart_of(Record(data)) == ""


def test_only_records_of_our_chart_are_ours():
    """Whatever a release is called, and whoever has made its namespace."""
    api = FakeApi(record("watch", "apisnoop"), record("apisnoop", "snoopdb"), record("watch", "apisnoop", "elsewhere"))
    path = "/api/v1/namespaces/apisnoop/secrets/sh.helm.release.v1.watch.v1"
    assert list(our_revisions(api, "apisnoop")) == [Revision("watch", path)]
