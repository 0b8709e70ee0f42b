"""Who made calls."""

import msgspec
import pytest

from apisnoop.coverage.who import Dimension, name_in, who_of
from tests.coverage.recording import ALICE, NOBODY, SUITE, WEB


@pytest.mark.parametrize(
    ("caller", "label"),
    [
        (WEB, "shop/deployment/web[app] (web/2.1)"),
        (msgspec.structs.replace(WEB, workload=""), "shop/pod/web-7d4b9-x2x4p[app] (web/2.1)"),
        (msgspec.structs.replace(WEB, workload="", pod="", container=""), "shop/web (web/2.1)"),
        (ALICE, "alice (kubectl/v1.36.0)"),
        (msgspec.structs.replace(ALICE, user=""), "kubectl/v1.36.0"),
        (msgspec.structs.replace(NOBODY, namespace="shop"), "namespace shop"),
        (NOBODY, "(unknown)"),
    ],
)
def test_a_caller_is_named_by_the_best_that_is_known(caller, label):
    """The workload if known, else the pod, the service account, the user, the program; never a guess."""
    assert who_of(caller).label == label


def test_what_changes_with_every_rollout_does_not_tell_callers_apart():
    """Pod, node, UID, component and test are rolled up; the program's version is not."""
    same = msgspec.structs.replace(WEB, pod="p", pod_uid="u", node="n", component="leader-election", test="t")
    assert who_of(same) == who_of(WEB)
    assert who_of(msgspec.structs.replace(WEB, client_version="3")) != who_of(WEB)


@pytest.mark.parametrize("dimension", list(Dimension))
def test_unknown_is_a_name_of_its_own_in_every_dimension(dimension):
    """A caller of whom nothing is known is told apart from all others, and not guessed."""
    assert name_in(dimension, NOBODY) == "(unknown)"


def test_a_named_user_is_no_unknown_service_account():
    """Who calls as a user has no service account, which is known; what is not known of nobody."""
    assert name_in(Dimension.SERVICE_ACCOUNT, ALICE) == "(no service account)"
    assert name_in(Dimension.SERVICE_ACCOUNT, WEB) == "shop/web"


def test_tests_are_told_apart_by_their_name():
    """--by test shows the test that the user agent named."""
    assert name_in(Dimension.TEST, SUITE) == "[sig-apps] Deployment should run"
