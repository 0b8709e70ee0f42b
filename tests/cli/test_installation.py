"""What is found out about an installation, and what is left out because it may not be read."""

import pytest

from apisnoop.cli.installation import home_of, look_at, look_deeper
from apisnoop.errors import RefusedError
from apisnoop.fleet.objects import NO_CONFIGURATION, NO_VERDICT
from tests.cli.fake_api import FakeApi, made
from tests.fleet.things import LABELS

HOME = "apisnoop"
SET = made("DaemonSet", "apisnoop-agent", HOME, labels=LABELS)
VERDICT = {**made("ConfigMap", "apisnoop-certificate", HOME), "data": {"mode": "csr"}}
VERDICT_PATH = f"/api/v1/namespaces/{HOME}/configmaps/apisnoop-certificate"
CONFIGURATION_PATH = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/apisnoop"


def look(api):
    """Find out everything."""
    return look_deeper(api, look_at(api, None))


def test_what_is_there_is_read():
    """By the names that the chart gives."""
    found = look(FakeApi(SET, VERDICT, made("Deployment", "apisnoop-webhook", HOME)))
    assert found.verdict.data == {"mode": "csr"}
    assert found.webhook.metadata.name == "apisnoop-webhook"
    assert found.unreadable == ()


def test_what_is_not_there_is_told_from_what_may_not_be_read():
    """The one is something wrong, the other a missing right."""
    api = FakeApi(SET)
    found = look(api)
    assert (found.verdict, found.webhook_configuration, found.unreadable) == (NO_VERDICT, NO_CONFIGURATION, ())
    api.refused |= {VERDICT_PATH, CONFIGURATION_PATH, "/api/v1/nodes"}
    found = look(api)
    assert (found.verdict, found.webhook_configuration, found.nodes) == (None, None, None)
    assert len(found.unreadable) == 3
    assert all("refuses to read" in line for line in found.unreadable)


def test_an_installation_that_may_not_be_looked_for_is_an_error():
    """Nothing can be told then."""
    api = FakeApi(SET)
    api.refused.add("/apis/apps/v1/daemonsets")
    with pytest.raises(RefusedError):
        look_at(api, None)
    assert look_at(api, None, HOME).daemon_sets


def test_an_installations_objects_are_named_after_its_daemon_set():
    """Whatever the release is called."""
    home = home_of("place", "watch-agent")
    assert home.agents.path == "/apis/apps/v1/namespaces/place/daemonsets/watch-agent"
    assert home.webhook.path == "/apis/apps/v1/namespaces/place/deployments/watch-webhook"
    assert home.verdict.path == "/api/v1/namespaces/place/configmaps/watch-certificate"
