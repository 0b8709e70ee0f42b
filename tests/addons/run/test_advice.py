"""Why no call was seen."""

import pytest

from apisnoop_addons.run.advice import advise


@pytest.mark.parametrize(
    ("command", "environment", "told"),
    [
        (["kubectl", "--kubeconfig", "x", "get"], {}, "was given a kubeconfig of its own (--kubeconfig)"),
        (["kubectl", "get", "--server=https://x"], {}, "was given a server of its own (--server)"),
        (["kubectl", "get", "-s", "x"], {}, "was given a server of its own (-s)"),
        (["operator"], {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "operator runs in a pod"),
        (["operator"], {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "env -u KUBERNETES_SERVICE_HOST operator"),
        (["operator"], {}, "operator made none, or it does not read KUBECONFIG"),
    ],
)
def test_the_likeliest_reason_is_told_with_what_to_do(command, environment, told):
    """Options that go before KUBECONFIG first, then the pod, then anything."""
    advice = advise(command, environment)
    assert advice.startswith("no call seen: ")
    assert told in advice
    assert "\n" not in advice
