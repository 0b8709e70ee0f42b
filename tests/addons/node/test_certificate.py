"""The certificate that pods are shown."""

import asyncio

import pytest

from apisnoop.errors import ApisnoopError
from apisnoop_addons.node import certificate as module
from apisnoop_addons.node.certificate import Certificate, read_pair
from tests.addons.run.pki import Authority
from tests.looped import eventually, in_loop


def mount(folder, issued, generation):
    """Put a pair where a kubelet would: in a new folder, to which a link is turned in one step."""
    (folder / generation).mkdir(parents=True)
    (folder / generation / "tls.crt").write_bytes(issued.certificate)
    (folder / generation / "tls.key").write_bytes(issued.key)
    (folder / "..new").symlink_to(generation)
    (folder / "..new").replace(folder / "..data")
    for name in ("tls.crt", "tls.key"):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")


@pytest.fixture
def authority():
    """Somebody who issues certificates."""
    return Authority()


@in_loop
async def test_a_renewed_certificate_is_taken(tmp_path, monkeypatch):
    """It is found without a restart, and one that cannot be used leaves the old one in place."""
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.01)
    authority = Authority()
    first, second = (authority.issue("server", hosts=("kubernetes.default.svc",)) for _ in range(2))
    mount(tmp_path, first, "..1")
    certificate = Certificate(tmp_path)
    assert certificate().certificate == first.certificate
    following = asyncio.create_task(certificate.run())
    (tmp_path / "..data" / "tls.key").write_bytes(second.key)
    await asyncio.sleep(0.1)
    assert certificate().certificate == first.certificate
    mount(tmp_path, second, "..2")
    await eventually(lambda: certificate().certificate == second.certificate)
    assert certificate().key == second.key
    following.cancel()


@pytest.mark.parametrize("fault", ["missing", "empty", "nonsense", "mixed"])
def test_a_pair_that_cannot_be_used_is_told(tmp_path, authority, fault):
    """The error names the folder and what to do, and nothing of the key."""
    issued, other = authority.issue("a"), authority.issue("b")
    if fault != "missing":
        mount(tmp_path, issued, "..1")
        broken = {"empty": b"", "nonsense": b"-----BEGIN " + issued.key[60:90], "mixed": other.key}[fault]
        (tmp_path / "tls.key").write_bytes(broken)
    with pytest.raises(ApisnoopError, match="certificate Job") as told:
        read_pair(tmp_path)
    assert str(tmp_path) in str(told.value)
    assert issued.key[60:80].decode() not in str(told.value)
