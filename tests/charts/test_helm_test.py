"""What `helm test` runs: a pod like those that are recorded, and rights that go with it."""

import pytest

from apisnoop.fleet.remains import BUNDLE
from apisnoop_webhook.containers import init_container
from apisnoop_webhook.settings import Injection, Interception
from tests.charts.rendering import MODES, objects, sources

pytestmark = pytest.mark.cluster  # helm comes with the test cluster's programs


def test_in_mode_init_the_test_pod_is_what_the_webhook_makes_of_others():
    """Nobody asks about pods of our own namespace, so the chart prepares its pod itself."""
    (rendered_pod,) = (one for one in objects(MODES["init"]) if one["kind"] == "Pod")
    (ours,) = rendered_pod["spec"]["initContainers"]
    injected = init_container(Injection(image=ours["image"], interception=Interception.INIT), {"containers": []})
    assert ours == {key: value for key, value in injected.items() if key != "args"}


def test_what_is_only_there_for_a_test_goes_with_it():
    """Helm leaves hooks behind at uninstallation; so its rights end with the test, and are the namespace's."""
    hooks = [one for one in objects() if "helm.sh/hook" in one["metadata"].get("annotations", {})]
    assert sorted(one["kind"] for one in hooks) == ["Pod", "Role", "RoleBinding", "ServiceAccount"]
    for one in hooks:
        policy = one["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
        assert policy == "before-hook-creation" + ("" if one["kind"] == "Pod" else ",hook-succeeded")
    (pod,) = (one for one in hooks if one["kind"] == "Pod")
    assert pod["metadata"]["annotations"]["apisnoop"] == "true"
    assert "app.kubernetes.io/part-of" not in pod["metadata"]["labels"]  # else the agent would leave it alone


@pytest.mark.parametrize("mode", MODES)
def test_the_test_pod_trusts_our_own_authority_where_that_may_sign(mode):
    """It is the webhook that fills the bundle in; without one, or where only the cluster signs, there is none."""
    things = objects(MODES[mode])
    (pod,) = (one for one in things if one["kind"] == "Pod")
    (account,) = pod["spec"]["volumes"]
    trusted = [one["configMap"]["name"] for one in sources(account) if "configMap" in one]
    bundles = [BUNDLE] if mode not in {"csr", "without-webhook"} else []
    assert trusted == ["kube-root-ca.crt", *bundles]  # the later counts: the kubelet writes a file once
    assert not any("items" in one["configMap"] for one in sources(account) if "configMap" in one)
    made = [one for one in things if one["kind"] == "ConfigMap" and one["metadata"]["name"] == BUNDLE]
    assert [one["metadata"]["labels"]["app.kubernetes.io/component"] for one in made] == ["bundle"] * len(bundles)
    assert not any("data" in one for one in made)  # an upgrade would take away what the webhook has put in
