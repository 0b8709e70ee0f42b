"""Calls as lines of a table that goes on."""

from apisnoop.calls.call_line import CallerPart, CallLine
from apisnoop.reports.live import LiveTable
from apisnoop.reports.paint import Paint

WEB = CallerPart(
    namespace="shop", pod="web-0", pod_uid="u1", container="app", client="kubectl", client_version="1.36.3"
)


def call(**more):
    """Make a call of the shop's pod."""
    known = {
        "time": "2026-01-01T12:00:00.123456Z",
        "method": "GET",
        "path": "/apis/apps/v1/namespaces/shop/deployments/web",
        "status": 200,
        "duration": 0.0123,
        "verb": "get",
        "group": "apps",
        "resource": "deployments",
        "namespace": "shop",
        "name": "web",
        "caller": WEB,
    }
    return CallLine(**{**known, **more})


def cells(line):
    """Split a line into its cells."""
    return [cell for cell in line.split("  ") if cell.strip()]


def test_a_call_is_told_in_a_line():
    """Who, what, on which object, with which result, how fast and with which program."""
    found = [cell.strip() for cell in cells(LiveTable().line(call()))]
    assert found[1:] == ["shop/web-0/app", "get", "deployments.apps", "shop/web", "200", "12.3", "kubectl/1.36.3"]


def test_what_is_unknown_is_not_made_up():
    """No caller, no resource, no answer, no duration."""
    line = LiveTable().line(CallLine("2026-01-01T12:00:00Z", "GET", "/healthz?verbose", 0))
    assert [cell.strip() for cell in cells(line)[1:]] == ["?", "GET", "/healthz", "none"]


def test_columns_stay_where_they_are_until_a_longer_name_comes():
    """Lines under one another can be compared."""
    table = LiveTable()
    header, first = table.header(), table.line(call())
    assert header.index("STATUS") + len("STATUS") == first.index("200") + 3
    long = CallerPart(namespace="shop", pod="w" * 40, container="app")
    moved = table.line(call(caller=long)).index("200")
    assert table.line(call()).index("200") == moved > first.index("200")


def test_names_as_workloads_give_them_leave_the_header_where_it_is():
    """A pod of a Deployment, with the hashes in its name, is what most lines are about."""
    table = LiveTable()
    header = table.header()
    pod = CallerPart(namespace="default", pod="frontend-7d4b9c6f5d-x2x9z", container="app")
    first = table.line(call(caller=pod, namespace="default", name="cart"))
    for column, cell in (("VERB", "get"), ("RESOURCE", "deployments.apps"), ("OBJECT", "default/cart")):
        assert first.index(cell) == header.index(column)


def test_a_list_names_its_namespace_and_a_subresource_its_resource():
    """So that a list of one namespace is told from one of all."""
    assert "shop/ " in LiveTable().line(call(verb="list", name=""))
    assert "deployments.apps/scale" in LiveTable().line(call(subresource="scale"))


def test_names_cannot_move_the_cursor():
    """They are whatever a pod has sent."""
    line = LiveTable().line(call(name="\x1b[2Jweb", caller=CallerPart(pod="a\nb", client="\x07")))
    assert line.isprintable()


def test_what_failed_and_what_is_deprecated_is_coloured():
    """And nothing else of the result is."""
    table = LiveTable(Paint(True))
    assert "\x1b[31m" not in table.line(call())
    assert "\x1b[31m" in table.line(call(status=404))
    assert "\x1b[33m" in table.line(call(deprecated=True))
