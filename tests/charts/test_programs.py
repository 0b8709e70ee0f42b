"""The programs that the chart starts: that they exist, know what they are told, and begin anew when they have to."""

import tomllib
from importlib.util import find_spec

import pytest

from apisnoop_certs.command import issue, renew
from apisnoop_webhook.command import serve
from tests.charts.rendering import CHART, ROOT, find, helm, objects, pod_specs

pytestmark = pytest.mark.cluster  # helm comes with the test cluster's programs


def test_every_program_the_chart_starts_is_a_console_script():
    """A container whose command does not exist never starts."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for spec in pod_specs(objects()).values():
        for container in spec["containers"]:
            program, *rest = container["command"]
            assert program in scripts or (program == "python3" and find_spec(rest[1]))


@pytest.mark.parametrize(
    ("name", "program"), [("apisnoop-webhook", serve), ("apisnoop-certs-1", issue), ("apisnoop-certs-renew", renew)]
)
def test_every_argument_is_an_option_of_its_program(name, program):
    """A container that is given an option which does not exist ends at once."""
    settings = ("certificate.domain=cluster.example", "certificate.extraNames[0]=api.example.com")
    arguments = pod_specs(objects(settings))[name]["containers"][0]["args"]
    known = {option for parameter in program.params for option in parameter.opts}
    assert {argument.partition("=")[0] for argument in arguments} <= known


def test_a_changed_script_starts_the_proxies_anew():
    """They read scripts once; a script's name has to be one of Python's."""

    def pods(text):
        return find(objects((f"addons.scripts.mark\\.py={text}",)), "DaemonSet", "apisnoop-agent")["spec"]["template"]

    assert pods("a = 1")["metadata"] != pods("a = 2")["metadata"]
    assert pods("a = 1") == pods("a = 1")
    refused = helm("template", "apisnoop", CHART, "--kube-version=1.30.0", "--set=addons.scripts.mark=a")
    assert refused.returncode != 0


def test_the_agent_lets_in_the_proxys_user():
    """Both are told the same number, which is nobody else's on the node."""
    agent, proxy = pod_specs(objects())["apisnoop-agent"]["containers"]
    told = {one["name"]: one.get("value") for one in agent["env"]}
    assert int(told["APISNOOP_PROXY_UID"]) == proxy["securityContext"]["runAsUser"] != 65532
