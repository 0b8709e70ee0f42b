"""What is said of an operation beside its figures."""

from apisnoop.coverage.comparison import compare
from apisnoop.reports.remarks import standing_of, summarize_diff
from tests.coverage.recording import ALICE, Called, recorded

NODES = Called(ALICE, "GET", "/api/v1/nodes")


def test_what_is_called_in_vain_is_not_said_to_be_gone(catalogue):
    """It says that errors are left, and the summary says what no longer used means."""
    pods = Called(ALICE, "GET", "/api/v1/pods")
    refused = NODES._replace(status=403)
    with recorded([NODES, pods], catalogue=catalogue) as old, recorded([refused], catalogue=catalogue) as new:
        report = compare(old, new)
    assert [standing_of(change) for change in report.no_longer_used] == ["stable, only errors now", "stable"]
    assert summarize_diff(report)[1].endswith("no longer used means not seen in the latter, or with errors only.")
