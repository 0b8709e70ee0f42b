"""The releases that Helm knows of in a namespace, as far as they are of our chart.

Helm keeps a release as JSON, compressed, in a Secret. Nothing of it is read but the chart's name: values may be secret.
"""

import binascii
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from apisnoop.cli.cluster_objects import list_objects, read_object
from apisnoop.cluster_api import Api
from apisnoop.decoding import decoder_of
from apisnoop.fleet.objects import Thing

RECORDS = "owner=helm"
"""Label of the Secrets in which Helm keeps releases; another is the release's name."""
CHART = "apisnoop"
_GZIP = b"\x1f\x8b"
_MOST = 1 << 26
"""Bytes of a release; a Secret holds 1 MiB of it, compressed."""


class ChartMetadata(msgspec.Struct, frozen=True):
    """What a chart says of itself."""

    name: str = ""


class Chart(msgspec.Struct, frozen=True):
    """A chart in a release."""

    metadata: ChartMetadata | None = None


class Release(msgspec.Struct, frozen=True):
    """What Helm keeps of a release."""

    chart: Chart | None = None


class Record(msgspec.Struct, frozen=True):
    """A Secret of Helm's."""

    data: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a release of our chart."""

    release: str
    path: str
    """Of its record."""


def our_revisions(api: Api, namespace: str) -> Iterator[Revision]:
    """Find what Helm has recorded of our chart. Raises ApisnoopError."""
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    for one in list(list_objects(api, secrets, Thing, labelSelector=RECORDS)):
        path = f"{secrets}/{one.metadata.name}"
        record = read_object(api, path, Record)
        if record is not None and chart_of(record) == CHART:
            yield Revision((one.metadata.labels or {}).get("name", ""), path)


def chart_of(record: Record) -> str:
    """Give the name of the chart that a record is of; empty where that cannot be read."""
    try:
        # In base64 twice: once by Helm, once by the API.
        body = binascii.a2b_base64(binascii.a2b_base64((record.data or {}).get("release", "")))
        if body.startswith(_GZIP):
            body = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, _MOST)
        release = decoder_of(Release).decode(body)
    except (ValueError, zlib.error, msgspec.DecodeError):
        return ""
    return release.chart.metadata.name if release.chart and release.chart.metadata else ""
