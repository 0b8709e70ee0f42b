"""How objects are named."""

import pytest

from apisnoop.errors import UsageError
from apisnoop.fleet.kinds import DEPLOYMENT, KINDS, NAMESPACE, POD, STATEFUL_SET, kind_of, parse_references


def read(*words):
    """Read words as objects, as text."""
    return [str(one) for one in parse_references(words)]


@pytest.mark.parametrize(
    ("words", "objects"),
    [
        (("web-0",), ["pod/web-0"]),
        (("web-0", "web-1"), ["pod/web-0", "pod/web-1"]),
        (("deploy/web", "sts/db", "po/x"), ["deployment/web", "statefulset/db", "pod/x"]),
        (("deploy", "web", "api"), ["deployment/web", "deployment/api"]),
        (("Deployments.apps/web",), ["deployment/web"]),
        (("ns/shop",), ["namespace/shop"]),
        (("deploy",), ["pod/deploy"]),
    ],
)
def test_objects_are_named_as_kubectl_does(words, objects):
    """KIND/NAME, KIND NAME... and bare names of pods mean what they mean to kubectl."""
    assert read(*words) == objects


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("svc/web", "'svc' is none of pod, deployment"),
        ("deploy/", "names no object"),
        ("deploy/a/b", "names no object"),
        ("rs/web-1", "name the Deployment above it"),
    ],
)
def test_what_cannot_be_marked_is_refused(word, says):
    """The message names the word and what would do."""
    with pytest.raises(UsageError, match=says):
        parse_references([word])


def test_a_replica_set_is_refused_in_kubectls_other_form_too():
    """`rs web-1` would otherwise mean two pods."""
    with pytest.raises(UsageError, match="Deployment above it"):
        parse_references(["rs", "web-1"])


def test_no_word_means_two_kinds():
    """Every name and alias belongs to one kind."""
    words = [word for kind in KINDS for word in (kind.name, *kind.aliases)]
    assert len(words) == len(set(words))
    assert all(kind_of(word) is kind for kind in KINDS for word in (kind.name, *kind.aliases))


def test_collections_are_where_the_api_has_them():
    """In a namespace, in all, and for namespaces themselves."""
    assert POD.collection("shop") == "/api/v1/namespaces/shop/pods"
    assert DEPLOYMENT.collection(None) == "/apis/apps/v1/deployments"
    assert STATEFUL_SET.collection("shop") == "/apis/apps/v1/namespaces/shop/statefulsets"
    assert NAMESPACE.collection("shop") == NAMESPACE.collection(None) == "/api/v1/namespaces"
