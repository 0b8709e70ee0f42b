"""The pages for those who run apisnoop in a cluster name what is really there."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from apisnoop_tproxy.pod_state import Code
from apisnoop_tproxy.rules import TABLE, UNTRACKED

ROOT = Path(__file__).parent.parent
SECURITY = (ROOT / "SECURITY.md").read_text()
TROUBLE = (ROOT / "docs/troubleshooting.md").read_text()
BY_HAND = TROUBLE.split("## Uninstalling by hand\n")[1]
OBJECTS = [one for one in yaml.safe_load_all((ROOT / "tests/charts/golden/default.yaml").read_text()) if one]
VIEWER = [one for one in yaml.safe_load_all((ROOT / "tests/charts/golden/mitmweb.yaml").read_text()) if one]
ORDINARY = {Code.WANTED, Code.NOT_WANTED, Code.POD_ENDED, Code.SUPERSEDED}
"""Reasons that are no trouble."""
CLUSTER_WIDE = {
    "ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}  # fmt: skip


def containers():
    """The containers of the node's pod, by name, the viewer among them."""
    (daemon_set,) = [one for one in VIEWER if one["kind"] == "DaemonSet"]
    return {one["name"]: one for one in daemon_set["spec"]["template"]["spec"]["containers"]}


def row_of(part):
    """The row of a part in SECURITY.md's table."""
    (row,) = [line for line in SECURITY.splitlines() if line.startswith(f"| {part} ")]
    return row


def test_the_agents_privileges_are_those_of_the_chart():
    """Each capability of its container is told, and no other."""
    capabilities = set(containers()["agent"]["securityContext"]["capabilities"]["add"])
    assert set(re.findall(r"\b[A-Z]+_[A-Z]+\b", row_of("agent"))) == capabilities


@pytest.mark.parametrize("name", ["proxy", "mitmweb"])
def test_users_are_those_of_the_chart(name):
    """Each container has a user of its own, without any capability."""
    context = containers()[name]["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert f"user {context['runAsUser']}" in row_of(name)


def test_the_viewer_has_no_token_and_no_key():
    """What SECURITY.md says an attacker does not get with it."""
    mounts = {one["name"] for one in containers()["mitmweb"]["volumeMounts"]}
    assert mounts == {"feed", "password"}


def test_everything_outside_the_namespace_is_removed_by_hand():
    """Whatever the chart makes that does not go with the namespace is in a command of the page."""
    outside = [one for one in OBJECTS if one["kind"] in CLUSTER_WIDE or one["metadata"].get("namespace") != "apisnoop"]
    assert outside
    for one in outside:
        kind, name = one["kind"].lower(), one["metadata"]["name"]
        line = rf"kubectl (-n \S+ )?delete \S*{kind}\S* .*\b{re.escape(name)}\b"
        assert re.search(line, BY_HAND), f"{one['kind']} {name} is not removed"


@pytest.mark.cluster
def test_what_is_removed_by_hand_is_gone(api_server):
    """The page's own commands, in their order, leave nothing of an installation; what is not there stops none."""
    api_server.kubectl("create", "namespace", "apisnoop")
    api_server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(OBJECTS))
    commands = [
        shlex.split(line, comments=True)[2:] for line in BY_HAND.splitlines() if re.match(r"\$ kubectl .*delete", line)
    ]
    assert len(commands) == 7
    for command in commands:
        api_server.kubectl(*command)
    kinds = ",".join(sorted({one["kind"].lower() for one in OBJECTS}))
    left = api_server.get(kinds, "-A", "-l", "app.kubernetes.io/part-of=apisnoop")["items"]
    assert [f"{one['kind']} {one['metadata']['name']}" for one in left] == []


def test_the_tables_in_a_pod_are_named_as_they_are():
    """Whoever removes them by hand finds them under these names."""
    named = re.findall(r"nft delete table inet (\S+)", BY_HAND)
    assert named == [UNTRACKED, TABLE]


def test_every_reason_is_explained():
    """What status and Events call it is in the page for symptoms."""
    missing = [code for code in Code if code not in ORDINARY and f"`{code}`" not in TROUBLE]
    assert missing == []


def test_values_that_pages_name_exist():
    """A value of the chart in SECURITY.md or the page on platforms is one."""
    values = yaml.safe_load((ROOT / "charts/apisnoop/values.yaml").read_text())
    pages = SECURITY + (ROOT / "docs/platforms.md").read_text() + TROUBLE
    named = re.findall(r"`((?:agent|proxy|certificate|webhook|recording|image|networkPolicy|mitmweb)\.[\w.]+)", pages)
    assert named
    for name in named:
        found = values
        for part in name.split("."):
            assert part in found, name
            found = found[part]
