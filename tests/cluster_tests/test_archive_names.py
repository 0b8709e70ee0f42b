"""Images are called what pods call them."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from cluster.archive_names import NAME, names_in
from cluster.images import Image, Layer, write_archive

if TYPE_CHECKING:
    from pathlib import Path


def written(path: Path, name: str, content: Any) -> Path:
    """Write an archive with one file of JSON."""
    data = json.dumps(content).encode()
    with tarfile.open(path, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return path


def test_every_image_of_a_docker_archive_is_named(tmp_path: Path) -> None:
    """As containerd would find them, whatever ctr says of it."""
    layers = (Layer(texts={"etc/motd": "hello\n"}),)
    path = tmp_path / "images.tar"
    write_archive(path, [Image("local/one:1", layers, ("/one",)), Image("local/two:1", layers, ("/two",))])
    assert names_in(path) == ["local/one:1", "local/two:1"]


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        pytest.param(["docker.io/library/apisnoop:1", "localhost/apisnoop:1"], ["apisnoop:1"], id="and buildah's own"),
        pytest.param(["localhost/apisnoop:1"], ["localhost/apisnoop:1"], id="buildah's own alone"),
        pytest.param(["docker.io/shop/web:2", "ghcr.io/shop/web:2"], ["shop/web:2", "ghcr.io/shop/web:2"], id="others"),
        pytest.param(None, [], id="none"),
    ],
)
def test_an_image_is_named_as_a_pod_names_it(tmp_path: Path, tags: list[str] | None, names: list[str]) -> None:
    """Without what goes without saying, and once if a builder has named it twice."""
    assert names_in(written(tmp_path / "image.tar", "manifest.json", [{"RepoTags": tags}])) == names


def test_an_image_of_an_oci_archive_is_named_by_its_note(tmp_path: Path) -> None:
    """One without is not called anything."""
    manifests = [{"annotations": {NAME: "docker.io/library/web:1"}}, {"annotations": {}}, {}]
    assert names_in(written(tmp_path / "image.tar", "index.json", {"manifests": manifests})) == ["web:1"]


def test_what_is_no_archive_of_images_is_refused(tmp_path: Path) -> None:
    """Neither a text nor a tar file of other things; the message names the file."""
    text = tmp_path / "text"
    text.write_text("hello")
    for path in (
        text,
        written(tmp_path / "other.tar", "other.json", {}),
        written(tmp_path / "x.tar", "index.json", []),
    ):
        with pytest.raises(RuntimeError) as refused:
            names_in(path)
        assert str(refused.value) == f"cannot import {path}: it is no docker-archive or OCI archive"
