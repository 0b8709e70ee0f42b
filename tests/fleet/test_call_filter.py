"""Which calls of a stream are shown."""

import pytest

from apisnoop.calls.call_line import CallerPart, CallLine
from apisnoop.errors import UsageError
from apisnoop.fleet.call_filter import CallFilter, parse_statuses, parse_verbs, parse_words
from apisnoop.fleet.kinds import parse_references

WEB = CallerPart(namespace="shop", pod="web-0", pod_uid="u1", container="app", workload="deployment/web")
CALL = CallLine(
    "2026-01-01T00:00:00Z",
    "GET",
    "/api/v1/namespaces/shop/pods/x/log",
    200,
    verb="get",
    resource="pods",
    subresource="log",
    caller=WEB,
)


@pytest.mark.parametrize(
    ("given", "passes"),
    [
        ({}, True),
        ({"objects": ["web-0"]}, True),
        ({"objects": ["web-1"]}, False),
        ({"objects": ["web-1", "deploy/web"]}, True),
        ({"objects": ["sts/web"]}, False),
        ({"objects": ["ns/shop"]}, True),
        ({"objects": ["ns/bank"]}, False),
        ({"namespace": "shop"}, True),
        ({"namespace": "bank"}, False),
        ({"containers": frozenset({"app"})}, True),
        ({"containers": frozenset({"sidecar"})}, False),
        ({"verbs": frozenset({"get", "list"})}, True),
        ({"verbs": frozenset({"watch"})}, False),
        ({"resources": frozenset({"pods"})}, True),
        ({"resources": frozenset({"pods/log"})}, True),
        ({"resources": frozenset({"pods/exec"})}, False),
        ({"statuses": parse_statuses(["2xx"])}, True),
        ({"statuses": parse_statuses(["4xx,none"])}, False),
        ({"selected": lambda caller: caller.pod_uid == "u2"}, False),
        ({"namespace": "shop", "verbs": frozenset({"watch"})}, False),
    ],
)
def test_a_call_has_to_pass_everything_that_is_asked(given, passes):
    """Different options narrow, values of one option widen."""
    objects = tuple(parse_references(given.pop("objects", [])))
    assert CallFilter(objects=objects, **given).passes(CALL) is passes


def test_a_call_of_nobody_known_passes_only_where_nobody_is_named():
    """It must not vanish from a stream of everything."""
    call = CallLine("2026-01-01T00:00:00Z", "GET", "/version", 200)
    assert CallFilter().passes(call)
    assert not CallFilter(namespace="shop").passes(call)


@pytest.mark.parametrize(
    ("verb", "says"),
    [("lst", "--verb lst: it is none of get, list, .*; did you mean list\\?$"), ("xyz", "proxy$")],
)
def test_a_verb_that_is_none_is_refused(verb, says):
    """It would let no call pass, for ever."""
    with pytest.raises(UsageError, match=says):
        parse_verbs([f"get,{verb}"])


def test_a_verb_may_be_written_in_capitals():
    """There is only one way to mean it."""
    assert parse_verbs(["GET,Watch", "put"]) == {"get", "watch", "put"}


def test_connecting_is_a_verb_whatever_it_comes_with():
    """The API server calls an exec a create or get."""
    call = CallLine("2026-01-01T00:00:00Z", "POST", "/x", 101, verb="create", detail="connect-exec")
    assert CallFilter(verbs=parse_verbs(["connect"])).passes(call)
    assert not CallFilter(verbs=parse_verbs(["connect"])).passes(CALL)


def test_a_group_may_be_named():
    """As kubectl does, to tell resources of one name apart."""
    call = CallLine("2026-01-01T00:00:00Z", "GET", "/x", 200, resource="ingresses", group="networking.k8s.io")
    assert CallFilter(resources=frozenset({"ingresses.networking.k8s.io"})).passes(call)


@pytest.mark.parametrize(
    ("text", "codes"),
    [("404", [404]), ("4xx", [400, 499]), ("400-403", [400, 403]), ("none", [0]), ("404,5XX", [404, 500])],
)
def test_statuses_are_read(text, codes):
    """Single ones, classes, ranges, and none for calls without an answer."""
    read = parse_statuses([text])
    assert all(any(code in one for one in read) for code in codes)
    assert not any(200 in one for one in read)


@pytest.mark.parametrize("text", ["ok", "6xx", "99", "500-400", "4", "-", "4xxx"])
def test_what_is_no_status_is_named(text):
    """A typing error must not show nothing for ever."""
    with pytest.raises(UsageError, match="write 404, 4xx"):
        parse_statuses([text])


def test_words_may_have_commas_between():
    """Both forms at once, too."""
    assert parse_words(["get,list", "watch"]) == {"get", "list", "watch"}
