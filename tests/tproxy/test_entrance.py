"""Whether a pod accepts our certificate, where its file system may not answer."""

import threading

import msgspec
import pytest

from apisnoop.node.wanted import Marks
from apisnoop_tproxy import entrance
from apisnoop_tproxy.entrance import Entrance
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.settings import Settings
from apisnoop_tproxy.trust import Trust
from tests.looped import eventually, in_loop


class FileSystems:
    """Stands for what is read inside pods: each accepts, until it is told to hang."""

    def __init__(self):
        self.answering = threading.Event()
        self.hanging = set()
        self.asked = []

    def check(self, _chain, _roots, volumes, _now):
        """Stand in for `check_trust`; the pod's UID is part of the folder of its volumes."""
        uid = volumes.parts[-3]
        self.asked.append(uid)
        if uid in self.hanging:
            self.answering.wait()
        return Trust(True)


@pytest.fixture
def file_systems(monkeypatch):
    """Give file systems that answer at the end in any case."""
    found = FileSystems()
    monkeypatch.setattr(entrance, "check_trust", found.check)
    yield found
    found.answering.set()


@pytest.fixture
def way_in(tmp_path):
    """Give an entrance to a node without processes."""
    (tmp_path / "tls.crt").write_bytes(b"a certificate")
    (tmp_path / "proc").mkdir()
    return Entrance(
        Settings(node="node1", certificate=tmp_path / "tls.crt", kubelet=tmp_path), tmp_path / "1", tmp_path / "proc"
    )


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
    monkeypatch.setattr(entrance, "_TRUST_SECONDS", 30.0)
    for number in range(100):
        assert (await way_in.trust(pod(f"web-{number}"), 1)).accepted
    assert len(file_systems.asked) == 120


@in_loop
async def test_a_file_system_that_answers_again_is_asked_again(way_in, file_systems, monkeypatch):
    """When what hung has gone on, the next look is a new one."""
    hang(file_systems, monkeypatch, "web")
    assert not (await way_in.trust(pod("web"), 1)).accepted
    monkeypatch.setattr(entrance, "_TRUST_SECONDS", 30.0)
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
    refusing = msgspec.structs.replace(Trust(True), accepted=False, why="no")
    monkeypatch.setattr(entrance, "check_trust", lambda *_: refusing)
    assert (await way_in.trust(pod("web"), 1)) == refusing
    monkeypatch.setattr(entrance, "check_trust", file_systems.check)
    hang(file_systems, monkeypatch, "web")
    assert not (await way_in.trust(pod("web"), 1)).accepted


@in_loop
async def test_without_a_certificate_nothing_is_asked(way_in, file_systems, tmp_path):
    """Before there is one, no pod's file system is looked into."""
    (tmp_path / "tls.crt").unlink()
    assert (await way_in.trust(pod("web"), 1)).why == "there is no certificate of ours yet"
    assert file_systems.asked == []
