"""What an uninstall takes, and what it leaves to others. That nothing of ours stays is tested on a real server."""

import pytest

from apisnoop.cli import removal as module
from apisnoop.cli.home import MANAGED_BY, OURS
from apisnoop.cli.removal import Removal
from apisnoop.fleet.objects import COMPONENT
from apisnoop.fleet.remains import BUNDLE, CHART
from tests.cli.fake_api import FakeApi, made
from tests.cli.test_releases import record
from tests.fleet.things import LABELS, agent

HOME = "apisnoop"
NAMESPACE = made("Namespace", HOME, labels={MANAGED_BY: OURS})
CHARTED = {**LABELS, "helm.sh/chart": "apisnoop-1.0.0"}
LEAF = made("Secret", "apisnoop-leaf", HOME, labels=CHARTED)


@pytest.fixture
def helm(monkeypatch):
    """Give what Helm is asked."""
    asked = []
    monkeypatch.setattr(module, "find_helm", lambda: "helm")
    monkeypatch.setattr(module, "run_helm", lambda words: asked.append(words[:4]))
    return asked


def uninstall(api):
    """Take everything out."""
    return Removal(api, None, (None, None)).run(0.1)


def test_what_we_have_made_goes_with_its_namespace(helm, capsys):
    """Helm is asked to forget the release, and its record goes in any case."""
    api = FakeApi(NAMESPACE, LEAF, record("apisnoop", "apisnoop"))
    assert uninstall(api)
    assert helm == [["uninstall", "apisnoop", "--namespace", HOME]]
    assert api.objects == {}
    assert capsys.readouterr() == (f"apisnoop is removed, and namespace {HOME}\n", "")


def test_the_pod_that_helm_test_has_left_goes_too(helm, capsys):
    """It is not labelled as a part of apisnoop, so that it is recorded, and keeps no namespace for that."""
    labels = {one: LABELS[one] for one in LABELS if not one.endswith("part-of")} | {COMPONENT: "test"}
    left = made("Pod", "apisnoop-test", HOME, labels=labels, annotations={"helm.sh/hook": "test"})
    api = FakeApi(NAMESPACE, LEAF, record("apisnoop", "apisnoop"), left)
    assert uninstall(api)
    assert api.objects == {}
    assert capsys.readouterr() == (f"apisnoop is removed, and namespace {HOME}\n", "")


def test_the_charts_bundle_goes_with_it_and_others_stay_for_their_pods(helm, capsys):
    """A pod of ours does not keep it; one of somebody else's keeps that of its namespace."""
    bundle = {**LABELS, COMPONENT: "bundle"}
    sources = [{"configMap": {"name": BUNDLE}}]
    mounts = {"volumes": [{"name": "v", "projected": {"sources": sources}}]}
    ours = made("ConfigMap", BUNDLE, HOME, labels={**bundle, CHART: "apisnoop-1.0.0"})
    left = {**made("Pod", "looking", HOME, labels={}), "spec": mounts}
    others = made("ConfigMap", BUNDLE, "shop", labels=bundle), {**made("Pod", "web", "shop"), "spec": mounts}
    unused = made("ConfigMap", BUNDLE, "empty", labels=bundle)
    api = FakeApi(NAMESPACE, LEAF, record("apisnoop", "apisnoop"), ours, left, *others, unused)
    assert uninstall(api)
    assert list(api.objects.values()) == [NAMESPACE, left, *others]
    told = capsys.readouterr().err
    assert f"ConfigMap {BUNDLE} stays in namespace shop until these pods have gone: web" in told
    assert f"{BUNDLE} stays in namespace {HOME}" not in told


class SlowApi(FakeApi):
    """An API server whose namespaces take their time to end, for which their pods are to blame."""

    def __init__(self, *objects, ends):
        super().__init__(*objects)
        self.ends = ends

    def delete(self, path, *uid):
        """Forget an object, but for namespaces."""
        if not path.rpartition("/")[0].endswith("/namespaces"):
            super().delete(path, *uid)

    def watch(self, collection, name, _seconds):
        """Give the end of a namespace that ends."""
        if self.ends:
            yield "DELETED", self.objects.pop(f"{collection}/{name}")


def test_a_namespace_is_called_removed_when_it_has_gone(helm, capsys):
    """An install right after would be refused before that."""
    api = SlowApi(NAMESPACE, LEAF, ends=True)
    assert uninstall(api)
    assert api.objects == {}
    said = f"waiting for namespace {HOME} to be deleted\n"
    assert capsys.readouterr() == (f"apisnoop is removed, and namespace {HOME}\n", said)


def test_namespaces_that_take_too_long_are_said_to_be_there_still(helm, monkeypatch, capsys):
    """A pod whose image cannot be pulled can keep its namespace for minutes."""
    monkeypatch.setattr(module, "NAMESPACE_SECONDS", 0.0)
    other = made("Namespace", "watch", labels={MANAGED_BY: OURS})
    assert uninstall(SlowApi(NAMESPACE, other, LEAF, ends=False))
    out, err = capsys.readouterr()
    assert out == "apisnoop is removed\n"
    waiting, *still = err.splitlines()
    assert waiting == f"waiting for namespaces {HOME}, watch to be deleted"
    assert [line.partition(" still:")[0] for line in still] == [
        f"apisnoop: namespace {one} is being deleted" for one in (HOME, "watch")
    ]


@pytest.mark.parametrize(
    ("nodes", "said"), [(1, "1 node to let go of its pods"), (2, "2 nodes to let go of their pods")]
)
def test_nodes_that_are_waited_for_are_counted_in_words(helm, monkeypatch, capsys, nodes, said):
    """Of one and of several."""
    monkeypatch.setattr(module, "drain", lambda *_: None)
    others = agent("n0", status={"phase": "Pending"}), agent("")  # they have redirected nothing
    found = [*(agent(f"n{number}") for number in range(nodes)), *others]
    monkeypatch.setattr(module, "find_agents", lambda *_: found)
    assert uninstall(FakeApi(NAMESPACE, made("DaemonSet", "apisnoop-agent", HOME, labels=CHARTED)))
    assert capsys.readouterr().err == f"waiting for {said}\n"


def test_a_release_of_others_in_our_namespace_stays(helm, capsys):
    """Also with all that it has made, and it is said why the namespace stays."""
    theirs = (record("shop", "web"), made("Deployment", "shop", HOME, labels={"helm.sh/chart": "web-1"}))
    api = FakeApi(NAMESPACE, LEAF, record("apisnoop", "apisnoop"), *theirs)
    assert uninstall(api)
    assert helm == [["uninstall", "apisnoop", "--namespace", HOME]]
    assert list(api.objects.values()) == [NAMESPACE, *theirs]
    out, err = capsys.readouterr()
    assert out == "apisnoop is removed\n"
    assert err == (
        f"apisnoop: namespace {HOME} stays, since others have something in it: Deployment shop, "
        "Secret sh.helm.release.v1.shop.v1; when that is gone: kubectl apisnoop uninstall\n"
    )


def test_what_an_install_that_failed_has_left_is_forgotten(helm):
    """Nothing but Helm's record is there."""
    api = FakeApi(NAMESPACE, record("watch", "apisnoop"))
    assert uninstall(api)
    assert helm == [["uninstall", "watch", "--namespace", HOME]]
    assert api.objects == {}


def test_a_node_that_has_let_go_is_not_called_silent_for_the_others(helm, monkeypatch, capsys):
    """Those that are down take all the time there is, and more of them than are asked at once."""
    monkeypatch.setattr(module, "drain", lambda *_: None)
    down = [agent(f"down{number}") for number in range(3)]
    monkeypatch.setattr(module, "find_agents", lambda *_: [*down, agent("n1")])
    daemon_set = made("DaemonSet", "apisnoop-agent", HOME, labels=CHARTED)
    api = FakeApi(NAMESPACE, daemon_set, *(made("Pod", one.metadata.name, HOME, uid=one.metadata.uid) for one in down))
    assert not Removal(api, None, (None, None)).run(0.0)
    silent = [line for line in capsys.readouterr().err.splitlines() if "did not answer" in line]
    assert [line.split()[2] for line in silent] == ["down0", "down1", "down2"]


def test_what_stays_in_pods_is_counted_in_words(helm, capsys):
    """Of one and of several."""
    spec = {"initContainers": [{"name": "apisnoop-wait"}]}
    web = {**made("Pod", "web", "shop"), "spec": spec}
    uninstall(FakeApi(LEAF, web))
    assert "apisnoop: 1 pod was made with our init container: " in capsys.readouterr().err
    uninstall(FakeApi(LEAF, web, {**made("Pod", "db", "shop"), "spec": spec}))
    said = capsys.readouterr().err
    assert "apisnoop: 2 pods were made with our init container: " in said
    assert said.rstrip().endswith(": shop/web, shop/db")
