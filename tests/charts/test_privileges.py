"""What the chart's containers may do on their node: all but the agent nothing."""

import pytest

from tests.charts.rendering import MODES, objects, pod_specs

pytestmark = pytest.mark.cluster  # helm comes with the test cluster's programs


def test_only_the_agent_has_privileges():
    """Every other container runs as nobody, without capabilities, on a read-only root."""
    for name, spec in pod_specs(objects()).items():
        assert spec.get("hostPID", False) is (name == "apisnoop-agent")
        assert not spec.get("hostNetwork")
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"]
            assert context["privileged"] is False
            if container["name"] != "agent":
                assert context["runAsNonRoot"]
                assert context["capabilities"] == {"drop": ["ALL"]}


def test_in_mode_init_nothing_has_privileges():
    """Not even the agent, and it shares neither processes nor network with its node."""
    for spec in pod_specs([one for one in objects(MODES["init"]) if one["kind"] != "Pod"], count=4).values():
        assert not any(spec.get(word) for word in ("hostPID", "hostNetwork", "hostIPC"))
        for container in spec["containers"]:
            assert container["securityContext"]["runAsNonRoot"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert not any("hostPort" in port for port in container.get("ports", ()))


def test_no_folder_of_the_node_is_mounted():
    """The agent goes through /proc; a hostPath would outlast the uninstallation."""
    for spec in pod_specs(objects()).values():
        assert not any("hostPath" in volume for volume in spec.get("volumes", ()))
