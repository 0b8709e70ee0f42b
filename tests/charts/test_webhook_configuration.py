"""About which pods the API server asks the webhook."""

import pytest

from apisnoop_webhook.configuration import OWN_AUTHORITY
from tests.charts.rendering import MODES, find, objects

pytestmark = pytest.mark.cluster  # helm comes with the test cluster's programs


def test_the_api_server_asks_about_pods_that_want_it_only():
    """Every entry is for creations only, ignored when it fails, and not for kube-system or ourselves."""
    entries = find(objects(MODES["csr"]), "MutatingWebhookConfiguration", "apisnoop")["webhooks"]
    assert [one["clientConfig"]["service"]["path"] for one in entries] == ["/pods", "/namespaces"]
    for one in entries:
        assert one["failurePolicy"] == "Ignore"
        assert one["rules"][0]["operations"] == ["CREATE"]
        spared = one["namespaceSelector"]["matchExpressions"][0]["values"]
        assert {"kube-system", "apisnoop"} <= set(spared)
        assert len(one["matchConditions"]) == 2


@pytest.mark.parametrize(
    ("settings", "condition"),
    [
        (("certificate.mode=csr",), None),
        (("certificate.mode=auto",), "false"),
        (("certificate.mode=own-ca",), "true"),
        (("certificate.mode=auto", "webhook.certManager.enabled=true"), None),
        (("certificate.mode=own-ca", "webhook.certManager.enabled=true"), "true"),
        (("certificate.mode=csr", "interception.mode=init"), "true"),
    ],
)
def test_the_api_server_asks_for_owners_sake_where_only_the_webhook_can_help(settings, condition):
    """With our own authority, or in mode init; in mode auto it shows later, and the webhook says so by a condition."""
    entries = find(objects(settings), "MutatingWebhookConfiguration", "apisnoop")["webhooks"]
    paths = [one["clientConfig"]["service"]["path"] for one in entries]
    assert paths == ["/pods", "/namespaces", *([] if condition is None else ["/owners"])]
    if condition is not None:
        said = {one["name"]: one["expression"] for one in entries[-1]["matchConditions"]}
        assert said.get(OWN_AUTHORITY, "true") == condition
        assert "object.metadata.ownerReferences" in said["the-pod-has-an-owner"]
