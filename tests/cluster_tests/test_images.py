"""Images: archives that containerd can import, always the same from the same files."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from cluster.images import Image, Layer, full_name, write_archive

if TYPE_CHECKING:
    from pathlib import Path

SHARED = Layer(texts={"etc/motd": "hello\n"}, links={"bin/sh": "busybox"}, folders={"tmp": 0o1777})


def written(path: Path, *images: Image) -> dict[str, bytes]:
    """Write an archive and return its members' content."""
    write_archive(path, images)
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def test_a_layer_holds_files_links_and_folders(tmp_path: Path) -> None:
    """Programs are executable, texts are not, and everything belongs to root."""
    program = tmp_path / "program"
    program.write_bytes(b"binary")
    layer = Layer({"bin/busybox": program}, SHARED.texts, SHARED.links, SHARED.folders)
    with tarfile.open(fileobj=io.BytesIO(layer.tar())) as archive:
        members = {member.name: member for member in archive}
    assert {name: oct(member.mode) for name, member in members.items()} == {
        "tmp": "0o1777",
        "bin/busybox": "0o755",
        "etc/motd": "0o644",
        "bin/sh": "0o777",
    }
    assert members["bin/sh"].linkname == "busybox"
    assert {(member.uid, member.gid, member.mtime) for member in members.values()} == {(0, 0, 0)}


def test_a_layer_of_two_images_is_in_the_archive_once(tmp_path: Path) -> None:
    """The image with kubectl repeats nothing of the one without."""
    extra = Layer(texts={"extra": "1"})
    images = Image("local/one:1", (SHARED,), ("/bin/sh",)), Image("local/two:1", (SHARED, extra), ("/bin/sh",))
    members = written(tmp_path / "images.tar", *images)
    manifest = json.loads(members["manifest.json"])
    assert [entry["RepoTags"] for entry in manifest] == [["local/one:1"], ["local/two:1"]]
    assert manifest[0]["Layers"] == manifest[1]["Layers"][:1]
    assert len([name for name in members if name.endswith(".tar")]) == 2


def test_an_images_configuration_names_its_layers_by_content(tmp_path: Path) -> None:
    """containerd compares every layer with its digest."""
    members = written(tmp_path / "images.tar", Image("local/one:1", (SHARED,), ("/bin/sh",)))
    (entry,) = json.loads(members["manifest.json"])
    layers = [f"sha256:{hashlib.sha256(members[name]).hexdigest()}" for name in entry["Layers"]]
    config = json.loads(members[entry["Config"]])
    assert config["rootfs"]["diff_ids"] == layers
    assert config["config"]["Cmd"] == ["/bin/sh"]
    assert entry["Config"] == f"{hashlib.sha256(members[entry['Config']]).hexdigest()}.json"


def test_the_same_files_give_the_same_archive(tmp_path: Path) -> None:
    """Nothing in an archive depends on when or where it was made."""
    image = Image("local/one:1", (SHARED,), ("/bin/sh",))
    write_archive(tmp_path / "first.tar", [image])
    write_archive(tmp_path / "second.tar", [image])
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("apisnoop:test", "docker.io/library/apisnoop:test"),
        ("local/busybox:1", "docker.io/local/busybox:1"),
        ("registry.example/apisnoop:1", "registry.example/apisnoop:1"),
        ("localhost/apisnoop:1", "localhost/apisnoop:1"),
        ("somewhere:5000/apisnoop:1", "somewhere:5000/apisnoop:1"),
    ],
)
def test_a_name_is_completed_as_container_runtimes_do(name: str, full: str) -> None:
    """A kubelet asks for the full name of what a pod calls by a short one."""
    assert full_name(name) == full
