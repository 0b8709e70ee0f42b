"""Whether a pod would accept the proxy's certificate."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apisnoop_tproxy import trust
from apisnoop_tproxy.safe_files import LARGEST, UnsafeFileError, read_in_root
from apisnoop_tproxy.trust import CA_FILE, MOST_ROOTS, check_trust
from tests.tproxy.certificates import Authority

NAME = "kubernetes.default.svc"


@pytest.fixture
def authority():
    """Give a cluster's authority."""
    return Authority()


@pytest.fixture
def root(tmp_path):
    """Give a pod's root folder with the folder of its ca.crt."""
    folder = tmp_path / "root"
    (folder / CA_FILE.lstrip("/")).parent.mkdir(parents=True)
    return folder


def put(root, content):
    """Put a ca.crt into a pod."""
    (root / CA_FILE.lstrip("/")).write_bytes(content)


def test_a_pod_with_the_same_authority_accepts(authority, root, tmp_path):
    """A chain that the pod's ca.crt verifies is accepted, also among other authorities."""
    put(root, Authority("other").pem + authority.pem)
    assert check_trust(authority.issue(NAME), [root], tmp_path, datetime.now(UTC)).accepted


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        (lambda _: Authority("kubernetes").issue(NAME), "accept our certificate: it was signed by another authority"),
        (lambda _: Authority("other").issue(NAME), "accept our certificate: it was signed by another authority"),
        (lambda ours: ours.issue("example.org"), "no matching subjectAltName"),
        (lambda ours: ours.issue(NAME, until=-timedelta(minutes=1)), "our certificate has expired at"),
        (lambda _: b"", "no certificate of ours yet"),
    ],
)
def test_a_certificate_that_would_be_refused_is_not_used(authority, root, tmp_path, certificate, why):
    """A foreign signature, another name, an expired or missing certificate each have their reason."""
    put(root, authority.pem)
    found = check_trust(certificate(authority), [root], tmp_path, datetime.now(UTC))
    assert not found.accepted
    assert why in found.why


def test_one_container_that_would_refuse_is_enough(authority, root, tmp_path):
    """All containers that have a ca.crt must accept; those without one have no say."""
    other = tmp_path / "other"
    (other / CA_FILE.lstrip("/")).parent.mkdir(parents=True)
    put(root, authority.pem)
    chain = authority.issue(NAME)
    assert check_trust(chain, [root, other], tmp_path, datetime.now(UTC)).accepted
    put(other, b"nonsense")
    assert "holds no certificate" in check_trust(chain, [root, other], tmp_path, datetime.now(UTC)).why


def test_a_root_folder_counts_once(authority, root, tmp_path, monkeypatch):
    """However many processes a container has, its ca.crt is read once."""
    put(root, authority.pem)
    processes = [tmp_path / str(number) for number in range(300)]
    for process in processes:
        process.symlink_to(root)
    read = []
    monkeypatch.setattr(trust, "read_in_root", lambda *place: read.append(place) or read_in_root(*place))
    assert check_trust(authority.issue(NAME), processes, tmp_path, datetime.now(UTC)).accepted
    assert read == [(processes[0], CA_FILE)]


def test_a_pod_of_too_many_root_folders_is_refused(authority, tmp_path, monkeypatch):
    """A pod's programs can make as many as they like: beyond a limit none is read, and the reason is said."""
    roots = [tmp_path / f"root-{number}" for number in range(MOST_ROOTS + 1)]
    for one in roots:
        (one / CA_FILE.lstrip("/")).parent.mkdir(parents=True)
        put(one, authority.pem)
    chain = authority.issue(NAME)
    assert check_trust(chain, roots[1:], tmp_path, datetime.now(UTC)).accepted
    monkeypatch.setattr(trust, "read_in_root", lambda *_: pytest.fail("it was read"))
    found = check_trust(chain, roots, tmp_path, datetime.now(UTC))
    assert (found.accepted, "more than 32 root folders" in found.why) == (False, True)


def test_before_containers_run_the_kubelets_volume_counts(authority, tmp_path):
    """What will be mounted is asked where nothing is mounted yet; a pod without any is not intercepted."""
    volume = tmp_path / "volumes" / "kube-api-access-x2x4z"
    (volume / "..data").mkdir(parents=True)
    (volume / "..data" / "ca.crt").write_bytes(authority.pem)
    (volume / "ca.crt").symlink_to("..data/ca.crt")
    chain = authority.issue(NAME)
    assert check_trust(chain, [tmp_path / "gone"], tmp_path / "volumes", datetime.now(UTC)).accepted
    assert "it has no /var/run" in check_trust(chain, [tmp_path / "gone"], tmp_path / "none", datetime.now(UTC)).why


def test_a_link_stays_inside_the_pod(tmp_path):
    """Absolute links and `..` lead to the pod's own files, never to the node's."""
    (tmp_path / "outside").write_text("the node's")
    root = tmp_path / "root"
    root.mkdir()
    (root / "absolute").symlink_to(tmp_path / "outside")
    (root / "upwards").symlink_to("../outside")
    for name in ("absolute", "upwards", "../outside"):
        with pytest.raises(FileNotFoundError):
            read_in_root(root, f"/{name}")
    (root / "outside").write_text("the pod's")
    assert read_in_root(root, "/upwards") == b"the pod's"


def test_only_files_of_a_reasonable_size_are_read(tmp_path):
    """A FIFO is not waited for, and neither a device nor a folder nor anything large is read."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_bytes(bytes(LARGEST + 1))
    (tmp_path / "largest").write_bytes(bytes(LARGEST))
    for name in ("fifo", "folder", "large"):
        with pytest.raises(UnsafeFileError):
            read_in_root(tmp_path, name)
    with pytest.raises(UnsafeFileError):
        read_in_root(Path("/"), "/dev/zero")
    assert len(read_in_root(tmp_path, "largest")) == LARGEST
