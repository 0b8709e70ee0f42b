"""Whether a pod accepts our certificate, where its file system may not answer."""

import threading

import pytest

from apisnoop.node.wanted import Marks
from apisnoop_tproxy import entrance
from apisnoop_tproxy.entrance import Entrance
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.settings import Settings
from apisnoop_tproxy.trust import Trust
from tests.looped import PATIENCE, eventually, in_loop


class FileSystems:
    """Stands for what is read inside pods: each accepts, until it is told to hang."""

    def __init__(self):
        self.answering = threading.Event()
        self.hanging = set()
        self.answer = Trust(True)
        self.asked = []

    def check(self, _chain, pod, _pid):
        """Stand in for the look into a pod."""
        self.asked.append(pod.uid)
        if pod.uid in self.hanging:
            self.answering.wait()
        return self.answer


@pytest.fixture
def file_systems(monkeypatch):
    """Give file systems that answer at the end in any case, and time for the others to do so."""
    monkeypatch.setattr(entrance, "_TRUST_SECONDS", PATIENCE)
    found = FileSystems()
    yield found
    found.answering.set()


@pytest.fixture
def way_in(tmp_path, file_systems):
    """Give an entrance to a node without processes, whose looks, late ones too, are into these file systems."""
    (tmp_path / "tls.crt").write_bytes(b"a certificate")
    (tmp_path / "proc").mkdir()
    settings = Settings(node="node1", certificate=tmp_path / "tls.crt", kubelet=tmp_path)
    found = Entrance(settings, tmp_path / "1", tmp_path / "proc")
    found._trust = file_systems.check
    return found


def pod(uid):
    """Make a pod."""
    return PodFacts(uid=uid, namespace="shop", name=uid, marks=Marks(f"pod {uid}"))


def hang(file_systems, monkeypatch, *uids):
    """Let pods' file systems hang, and ask for no longer than a moment from now on."""
    monkeypatch.setattr(entrance, "_TRUST_SECONDS", 0.01)
    file_systems.hanging.update(uids)


@in_loop
async def test_a_file_system_that_hangs_costs_nobody_else_anything(way_in, file_systems, monkeypatch):
    """Pods whose file systems hang are not accepted and asked once; all others get their answers meanwhile."""
    hanging = [f"hangs-{number}" for number in range(20)]
    hang(file_systems, monkeypatch, *hanging)
    for uid in hanging * 2:
        found = await way_in.trust(pod(uid), 1)
        assert (found.accepted, "does not answer" in found.why) == (False, True)
    monkeypatch.setattr(entrance, "_TRUST_SECONDS", PATIENCE)
    for number in range(100):
        assert (await way_in.trust(pod(f"web-{number}"), 1)).accepted
    await eventually(lambda: len(file_systems.asked) >= 120)
    assert len(file_systems.asked) == 120


@in_loop
async def test_a_file_system_that_answers_again_is_asked_again(way_in, file_systems, monkeypatch):
    """When what hung has gone on, the next look is a new one."""
    hang(file_systems, monkeypatch, "web")
    assert not (await way_in.trust(pod("web"), 1)).accepted
    monkeypatch.setattr(entrance, "_TRUST_SECONDS", PATIENCE)
    file_systems.answering.set()
    await eventually(lambda: not way_in._trusting.open)
    assert (await way_in.trust(pod("web"), 1)).accepted
    assert file_systems.asked == ["web", "web"]


@in_loop
async def test_a_pod_that_accepted_is_believed_while_it_is_silent(way_in, file_systems, monkeypatch, tmp_path):
    """No answer does not end a recording, as long as the certificate is the one that the pod has accepted."""
    assert (await way_in.trust(pod("web"), 1)).accepted
    hang(file_systems, monkeypatch, "web")
    assert (await way_in.trust(pod("web"), 1)).accepted
    (tmp_path / "tls.crt").write_bytes(b"another certificate")
    assert "does not answer" in (await way_in.trust(pod("web"), 1)).why
    (tmp_path / "tls.crt").write_bytes(b"a certificate")
    assert (await way_in.trust(pod("web"), 1)).accepted
    way_in.forget("web")
    assert not (await way_in.trust(pod("web"), 1)).accepted


@in_loop
async def test_a_pod_that_refused_is_not_believed_any_more(way_in, file_systems, monkeypatch):
    """What it said before it refused does not count when it is silent later."""
    assert (await way_in.trust(pod("web"), 1)).accepted
    file_systems.answer = Trust(False, "no")
    assert (await way_in.trust(pod("web"), 1)).why == "no"
    hang(file_systems, monkeypatch, "web")
    assert not (await way_in.trust(pod("web"), 1)).accepted


@in_loop
async def test_without_a_certificate_nothing_is_asked(way_in, file_systems, tmp_path):
    """Before there is one, no pod's file system is looked into."""
    (tmp_path / "tls.crt").unlink()
    assert (await way_in.trust(pod("web"), 1)).why == "there is no certificate of ours yet"
    assert file_systems.asked == []
