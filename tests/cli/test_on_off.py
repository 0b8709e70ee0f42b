"""`apisnoop on` and `off`, on a real API server."""

import json

import pytest

from apisnoop.node.wanted import MARK, RESET, UNTIL
from tests.cli.reporting import run

pytestmark = pytest.mark.cluster
POD = {"containers": [{"name": "app", "image": "none"}]}


@pytest.fixture
def shop(api_server, namespace):
    """A namespace with a Deployment, whose pods wait for a node, and a pod of its own."""
    template = {"metadata": {"labels": {"app": "web"}}, "spec": POD}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    web = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    alone = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "alone", "labels": {"app": "alone"}}, "spec": POD}
    api_server.apply(web, namespace)
    api_server.apply(alone, namespace)
    api_server.kubectl(
        "wait", "deployment/web", "-n", namespace, "--for=jsonpath={.status.replicas}=2", "--timeout=60s"
    )
    return Shop(api_server, namespace)


class Shop:
    """The namespace, and the verbs in it."""

    def __init__(self, server, namespace):
        self.server, self.namespace = server, namespace

    def run(self, *words):
        """Run a verb there."""
        return run(*words, "--kubeconfig", self.server.kubeconfig, "-n", self.namespace)

    def metadata(self, kind, name):
        """Read what an object says."""
        return json.loads(self.server.kubectl("get", kind, name, "-n", self.namespace, "-o", "json"))["metadata"]

    def specification(self):
        """Read what would restart pods if it changed."""
        return self.server.kubectl("get", "deployment", "web", "-n", self.namespace, "-o", "jsonpath={.spec}")


def test_on_marks_the_object_and_restarts_nothing(shop):
    """The Deployment is annotated, its template is not; its pods are counted and named."""
    before = shop.specification()
    answer = shop.run("on", "deploy/web", "--for", "10m", "--reset")
    assert answer.exit_code == 0
    assert "deployment/web: on until 20" in answer.stdout
    assert ", 2 pods: web-" in answer.stdout
    marks = shop.metadata("deployment", "web")["annotations"]
    assert (marks[MARK], marks[RESET]) == ("true", "true")
    assert UNTIL in marks
    assert shop.specification() == before
    assert f"kubectl apisnoop status -n {shop.namespace}" in answer.stderr


def test_on_says_that_nobody_is_there_to_record(shop):
    """Without a node agent a mark alone does nothing."""
    assert "no node agent is installed" in shop.run("on", "alone").stderr


def test_on_tells_which_pods_will_not_be_recorded(shop):
    """A pod that says no itself is nearer than its namespace."""
    shop.server.kubectl("annotate", "pod", "alone", f"{MARK}=false", "-n", shop.namespace)
    answer = shop.run("on", f"ns/{shop.namespace}")
    assert ", 2 pods" in answer.stdout
    assert f"pod {shop.namespace}/alone will not be recorded: apisnoop=false on pod alone; to have" in answer.stderr
    assert f"have it recorded: kubectl apisnoop on pod/alone -n {shop.namespace}\n" in answer.stderr
    assert shop.metadata("namespace", shop.namespace)["labels"][MARK] == "true"


def test_off_takes_back_all_that_on_wrote(shop):
    """Nothing of ours is left on the object."""
    shop.run("on", "deploy/web", "--for", "10m", "--reset")
    answer = shop.run("off", "deploy/web")
    assert answer.output == "deployment/web: off\n"
    assert not [key for key in shop.metadata("deployment", "web")["annotations"] if key.startswith("apisnoop")]
    assert shop.run("off", "deploy/web").stdout == "deployment/web: off already\n"


def test_off_contradicts_a_namespace_that_asks(shop):
    """Off means off; with the namespace off as well, nothing more needs to be said."""
    shop.run("on", f"ns/{shop.namespace}")
    assert "off (apisnoop=false, since namespace" in shop.run("off", "alone").stdout
    assert shop.metadata("pod", "alone")["annotations"][MARK] == "false"
    shop.run("off", f"ns/{shop.namespace}")
    assert shop.run("off", "alone").stdout == "pod/alone: off\n"
    assert MARK not in shop.metadata("pod", "alone").get("annotations", {})


def test_off_tells_which_pods_go_on(shop):
    """A pod that asks itself is nearer than its namespace."""
    shop.run("on", "alone")
    shop.run("on", f"ns/{shop.namespace}")
    answer = shop.run("off", f"ns/{shop.namespace}")
    assert "1 pod of namespace/" in answer.stderr
    assert "go on (apisnoop=true on pod alone): alone" in answer.stderr


def test_a_selector_chooses_pods_or_objects_of_a_kind(shop):
    """As kubectl's -l does."""
    assert shop.run("on", "-l", "app=web").stdout.count("pod/web-") == 2
    shop.server.kubectl("label", "deployment", "web", "tier=front", "-n", shop.namespace)
    assert shop.run("on", "deploy", "-l", "tier=front").stdout.startswith("deployment/web: on")


def test_nothing_is_marked_when_one_of_the_objects_is_not_there(shop):
    """Half of what was asked for would be a surprise."""
    answer = shop.run("on", "alone", "deploy/wbe")
    assert answer.exit_code == 3
    assert f"no deployment wbe in namespace {shop.namespace}; see kubectl get deployments" in answer.stderr
    assert MARK not in shop.metadata("pod", "alone").get("annotations", {})


@pytest.fixture
def editor(shop):
    """A user who has the role `edit` in the namespace, and nothing else."""
    name = "editor"
    shop.server.kubectl("create", "rolebinding", "editor", "--clusterrole=edit", f"--user={name}", "-n", shop.namespace)
    return shop.server.client_certificate(name).kubeconfig


def test_whoever_may_edit_in_a_namespace_can_switch_on_and_off(shop, editor):
    """A mark that one may set can be taken back; only what needs more rights is left out, and the right is named."""
    answer = run("on", "deploy/web", "-n", shop.namespace, "--kubeconfig", editor)
    assert answer.exit_code == 0
    assert "deployment/web: on, 2 pods: web-" in answer.stdout
    assert "left out whether node agents are installed" in answer.stderr
    assert "the missing right: list pods cluster-wide (docs/cluster.md#rights)" in answer.stderr
    answer = run("off", "deploy/web", "-n", shop.namespace, "--kubeconfig", editor)
    assert (answer.exit_code, answer.output) == (0, "deployment/web: off\n")
    assert MARK not in shop.metadata("deployment", "web")["annotations"]


def test_whoever_may_only_change_an_object_can_switch_it_off(shop):
    """What follows cannot be told then, and both verbs say so."""
    name = "marker"
    words = ("--verb=get,patch", "--resource=deployments.apps", "-n", shop.namespace)
    shop.server.kubectl("create", "role", "marker", *words)
    shop.server.kubectl("create", "rolebinding", "marker", "--role=marker", f"--user={name}", "-n", shop.namespace)
    kubeconfig = shop.server.client_certificate(name).kubeconfig
    for verb in ("on", "off"):
        answer = run(verb, "deploy/web", "-n", shop.namespace, "--kubeconfig", kubeconfig)
        assert (answer.exit_code, answer.stdout) == (0, f"deployment/web: {verb}\n")
        assert "left out what follows for the pods of deployment/web" in answer.stderr
    assert f"left out whether namespace {shop.namespace} asks for its pods" in answer.stderr
    assert MARK not in shop.metadata("deployment", "web")["annotations"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["on"], "name what to record"),
        (["on", "svc/web"], "'svc' is none of"),
        (["on", "web", "--for", "soon"], "'soon' is no duration"),
        (["on", "web", "-A", "-n", "x"], "exclude one another"),
        (["off", "web", "-A"], "-A takes a selector"),
        (["on", "web", "-l", "a=b"], "-l takes at most a kind"),
    ],
)
def test_what_cannot_be_meant_is_refused(api_server, words, says):
    """Before anything is changed."""
    answer = run(*words, "--kubeconfig", api_server.kubeconfig)
    assert answer.exit_code == 2
    assert says in answer.stderr


def test_a_selector_that_chooses_nothing_is_told(shop):
    """A typing error must not look like success."""
    answer = shop.run("on", "-l", "app=wbe")
    assert answer.exit_code == 3
    assert "no pod with -l app=wbe" in answer.stderr


def test_objects_are_completed(shop, monkeypatch):
    """Kinds first, then what is there."""
    from apisnoop.cli.completion import completions  # noqa: PLC0415

    given = ["on", "-n", shop.namespace, "--kubeconfig", str(shop.server.kubeconfig)]
    assert completions(given, "deploy")[0] == ["deployment/"]
    assert completions(given, "deployment/")[0] == ["deployment/web"]
    assert "alone" in completions(given, "")[0]
    unknown = ["on", "--kubeconfig", "/nowhere"]
    assert completions(unknown, "alo")[0] == []
