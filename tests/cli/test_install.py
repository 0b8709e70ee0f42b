"""`apisnoop install` and `uninstall` with Helm on a real API server without nodes: what they make, refuse, remove."""

import os

import pytest

from apisnoop.cli import already_marked
from apisnoop.cli import helm as helm_module
from apisnoop.cli.helm import find_chart
from apisnoop.fleet.facts import DRAIN
from tests.charts.installation import HOME, Installation
from tests.cli.reporting import run

pytestmark = pytest.mark.cluster


@pytest.fixture
def server(api_server, monkeypatch):
    """An API server with Helm on the PATH, and nothing of apisnoop on it before and after."""
    monkeypatch.setenv("PATH", f"{api_server.helm_path.parent}:{os.environ['PATH']}")
    yield api_server
    run("uninstall", "--yes", "--kubeconfig", api_server.kubeconfig)
    gone(api_server)


def gone(server):
    """Wait until the namespace has gone, which takes the namespace controller a moment."""
    server.kubectl("wait", f"namespace/{HOME}", "--for=delete", "--timeout=60s")


def apisnoop(server, *words):
    """Run a verb there."""
    return run(*words, "--kubeconfig", server.kubeconfig)


def test_what_is_installed_goes_without_a_trace(server):
    """Namespace included, which `install` has made so that agents may run; not unasked: unpulled calls go with it."""
    answer = apisnoop(server, "install", "--no-wait", "--set", "agent.leaseSeconds=7")
    assert answer.exit_code == 0
    labels = server.get("namespace", HOME)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"
    agent = server.get("daemonset", "apisnoop-agent", "-n", HOME)
    assert {"name": "APISNOOP_LEASE", "value": "7"} in agent["spec"]["template"]["spec"]["containers"][0]["env"]
    assert "has no pods" in apisnoop(server, "doctor").stdout

    answer = apisnoop(server, "uninstall")
    assert answer.exit_code == 2
    assert "to remove it unasked, add --yes" in answer.stderr
    assert server.kubectl("get", "daemonset", "-n", HOME, "-o", "name") == "daemonset.apps/apisnoop-agent\n"

    answer = apisnoop(server, "uninstall", "--yes")
    assert (answer.exit_code, answer.stdout) == (0, f"apisnoop is removed, and namespace {HOME}\n")
    gone(server)
    assert Installation(server).traces() == []


def test_marks_from_an_earlier_time_are_named(server, namespace, monkeypatch):
    """They are their owners', so they stay; who installs or uninstalls learns of them."""
    monkeypatch.setattr(already_marked, "SHOWN", 1000)  # other tests' namespaces may be there still
    server.kubectl("label", "namespace", namespace, "apisnoop=true")
    mark = f"namespace/{namespace}"
    answer = apisnoop(server, "install", "--no-wait")
    assert mark in next(line for line in answer.stderr.splitlines() if "to be recorded already" in line)
    again = apisnoop(server, "install", "--no-wait")
    assert "already" not in again.output
    assert "record" not in again.stderr
    answer = apisnoop(server, "install", "--no-wait", "--set", "agent.leaseSeconds=7")
    assert "every node begins a new record" in answer.stderr
    answer = apisnoop(server, "install", "--no-wait", "-n", namespace)
    assert answer.exit_code == 3
    assert f"apisnoop is installed already in namespace {HOME}" in answer.stderr
    answer = apisnoop(server, "uninstall", "--yes")
    assert mark in next(line for line in answer.stderr.splitlines() if "recorded again after another" in line)


def test_half_of_it_goes_without_helm_too(server, monkeypatch):
    """Some of it deleted by hand, Helm not on the PATH, its record still there."""
    apisnoop(server, "install", "--no-wait")
    server.kubectl("delete", "daemonset/apisnoop-agent", "deployment/apisnoop-webhook", "-n", HOME)
    monkeypatch.setattr("apisnoop.cli.removal.find_helm", lambda: None)
    assert apisnoop(server, "uninstall", "--yes").exit_code == 0
    gone(server)
    assert Installation(server).traces() == []


def test_what_others_call_apisnoop_stays(server):
    """One label is not enough: a Secret of somebody else's must not go."""
    server.kubectl("create", "namespace", HOME)
    server.kubectl("create", "secret", "generic", "theirs", "-n", HOME)
    server.kubectl("label", "secret", "theirs", "app.kubernetes.io/name=apisnoop", "-n", HOME)
    apisnoop(server, "install", "--no-wait")
    answer = apisnoop(server, "uninstall", "--yes")
    assert answer.stdout == "apisnoop is removed\n"
    assert server.kubectl("get", "secret", "theirs", "-n", HOME, "-o", "name")
    assert apisnoop(server, "uninstall").stdout == "There is nothing of apisnoop in this cluster\n"
    server.kubectl("delete", "namespace", HOME, "--wait=false")


def test_an_install_after_an_unfinished_uninstall_records_again(server):
    """Helm leaves alone what it has not written, and agents would never come back."""
    apisnoop(server, "install", "--no-wait", "--set", "webhook.enabled=false")
    patch = f'{{"spec": {{"template": {{"spec": {{"nodeSelector": {{"{DRAIN}": "true"}}}}}}}}}}'
    server.kubectl("patch", "daemonset", "apisnoop-agent", "-n", HOME, "-p", patch)
    assert "was begun and not finished" in apisnoop(server, "doctor").stdout
    apisnoop(server, "install", "--no-wait")
    selector = server.get("daemonset", "apisnoop-agent", "-n", HOME)["spec"]["template"]["spec"]["nodeSelector"]
    assert DRAIN not in selector


def test_a_namespace_that_would_refuse_the_agents_is_named_before_anything_is_made(server):
    """With the command that mends it."""
    server.kubectl("create", "namespace", HOME)
    server.kubectl("label", "namespace", HOME, "pod-security.kubernetes.io/enforce=restricted")
    answer = apisnoop(server, "install", "--no-wait")
    server.kubectl("delete", "namespace", HOME, "--wait=false")
    assert answer.exit_code == 3
    assert "enforces PodSecurity restricted" in answer.stderr
    assert f"kubectl label --overwrite namespace {HOME}" in answer.stderr


def test_agents_without_privileges_are_installed_where_privileges_are_refused(server):
    """And updated there, without the mode being said again."""
    server.kubectl("create", "namespace", HOME)
    server.kubectl("label", "namespace", HOME, "pod-security.kubernetes.io/enforce=restricted")
    answer = apisnoop(server, "install", "--no-wait", "--set", "interception.mode=init")
    again = apisnoop(server, "install", "--no-wait")
    apisnoop(server, "uninstall", "--yes")
    server.kubectl("delete", "namespace", HOME, "--wait=false")
    assert (answer.exit_code, again.exit_code) == (0, 0)


def test_a_value_that_the_chart_does_not_know_leaves_nothing(server):
    """No namespace either."""
    answer = apisnoop(server, "install", "--no-wait", "--set", "agent.nope=1")
    assert answer.exit_code == 3
    assert "nope" in answer.stderr
    assert Installation(server).traces() == []
    assert server.kubectl("get", "namespace", HOME, "--ignore-not-found", "-o", "name") == ""


def test_what_would_be_installed_can_be_looked_at(server, capfd):
    """Nothing is made, and standard output is manifests only."""
    assert apisnoop(server, "install", "--dry-run", "--set", "webhook.enabled=false").exit_code == 0
    out = capfd.readouterr().out
    assert "kind: DaemonSet" in out
    assert "MutatingWebhookConfiguration" not in out
    assert Installation(server).traces() == []


def test_the_chart_is_where_the_program_is(monkeypatch, tmp_path):
    """In a checkout the one in it; in an installed package the one inside; else it is said where it was looked for."""
    assert (find_chart() / "values.yaml").is_file()
    monkeypatch.setattr(helm_module, "PLACES", (tmp_path / "none",))
    with pytest.raises(helm_module.ApisnoopError, match=r"is not in .*none: install"):
        find_chart()
