"""Flow files of mitmproxy, read through the component that registers itself for them."""

from click.testing import CliRunner
from mitmproxy.http import Headers, HTTPFlow
from mitmproxy.io import FlowWriter
from mitmproxy.test.tflow import tflow

from apisnoop.cli.coverage import coverage
from apisnoop.cli.import_ import import_


def make_flow(path: str) -> HTTPFlow:
    """Make a finished call to an API server."""
    flow = tflow(resp=True)
    flow.request.method, flow.request.path = "GET", path
    flow.request.headers = Headers([(b"User-Agent", b"kubectl/v1.36.3")])
    return flow


def test_a_flow_file_is_imported_once(tmp_path):
    """`apisnoop import` finds the reader by itself, counts every call, and counts none again the second time."""
    file, db = tmp_path / "calls.flow", tmp_path / "apisnoop.db"
    with file.open("wb") as out:
        writer = FlowWriter(out)
        for name in ("web", "db"):
            writer.add(make_flow(f"/api/v1/namespaces/shop/pods/{name}"))
    for _ in range(2):
        result = CliRunner().invoke(import_, ["--db", str(db), str(file)])
        assert result.exit_code == 0, result.output
    report = CliRunner().invoke(coverage, ["--db", str(db), "-o", "csv"])
    (line,) = [line for line in report.stdout.splitlines() if "readCoreV1NamespacedPod," in line]
    assert ",2," in line
