"""Container images without a registry or a builder: a docker-archive is a tar file of tar files and some JSON.

`local/pause:1`    holds a pod's namespaces; every node needs it
`local/busybox:1`  Debian's static busybox: sh, wget, httpd, nslookup, ...
`local/kubectl:1`  the same with kubectl
`local/coredns:1`  the cluster's DNS server
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from . import binaries, cache
from .packages import BUSYBOX

if TYPE_CHECKING:
    from collections.abc import Sequence

PAUSE_IMAGE = "local/pause:1"
BUSYBOX_IMAGE = "local/busybox:1"
KUBECTL_IMAGE = "local/kubectl:1"
COREDNS_IMAGE = "local/coredns:1"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Layer:
    """Files of an image: place in the image to content, a file of this machine, a link's target, or a folder's mode."""

    programs: dict[str, Path] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)

    def tar(self) -> bytes:
        """Render the layer; the same files always give the same bytes."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for place, mode in self.folders.items():
                archive.addfile(_member(place, tarfile.DIRTYPE, mode))
            for place, source in self.programs.items():
                _add_file(archive, place, source.read_bytes(), 0o755)
            for place, text in self.texts.items():
                _add_file(archive, place, text.encode(), 0o644)
            for place, target in self.links.items():
                link = _member(place, tarfile.SYMTYPE, 0o777)
                link.linkname = target
                archive.addfile(link)
        return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Image:
    """A container image: a name with a tag, layers, and what it runs when it is not told."""

    name: str
    layers: tuple[Layer, ...]
    command: tuple[str, ...]


def write_archive(path: Path, images: Sequence[Image]) -> None:
    """Write a docker-archive that holds `images`; a layer that several have is in it once."""
    manifest = []
    with tarfile.open(path, mode="w") as archive:
        written: set[str] = set()
        for image in images:
            layers = [layer.tar() for layer in image.layers]
            digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
            config = json.dumps(_config(image, digests)).encode()
            names = [f"{digest}.tar" for digest in digests]
            config_name = f"{hashlib.sha256(config).hexdigest()}.json"
            for name, content in [*zip(names, layers, strict=True), (config_name, config)]:
                if name not in written:
                    _add_file(archive, name, content, 0o644)
                    written.add(name)
            manifest.append({"Config": config_name, "RepoTags": [image.name], "Layers": names})
        _add_file(archive, "manifest.json", json.dumps(manifest).encode(), 0o644)


def full_name(name: str) -> str:
    """Return an image's name as containerd keeps it: with the registry and folder that go without saying."""
    first, slash, _ = name.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def archive() -> Path:
    """Return the docker-archive with the images named above, made when it is not cached."""
    programs = [_kubectl(), _coredns(), _pause(), BUSYBOX]
    # The built programs' paths hold a hash of their sources.
    sources = [*(str(program).encode() for program in programs), BUSYBOX.read_bytes(), Path(__file__).read_bytes()]
    return (
        cache.entry("images", sources, lambda directory: write_archive(directory / "images.tar", _images()))
        / "images.tar"
    )


def _images() -> list[Image]:
    busybox = _busybox_layer()
    kubectl = Layer(programs={"usr/bin/kubectl": _kubectl()})
    return [
        Image(PAUSE_IMAGE, (Layer(programs={"pause": _pause()}),), ("/pause",)),
        Image(BUSYBOX_IMAGE, (busybox,), ("/bin/sh",)),
        Image(KUBECTL_IMAGE, (busybox, kubectl), ("/bin/sh",)),
        Image(COREDNS_IMAGE, (Layer(programs={"coredns": _coredns()}, folders={"tmp": 0o1777}),), ("/coredns",)),
    ]


def _busybox_layer() -> Layer:
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    return Layer(
        folders={"bin": 0o755, "etc": 0o755, "root": 0o700, "tmp": 0o1777, "usr": 0o755, "usr/bin": 0o755},
        programs={"bin/busybox": BUSYBOX},
        links={f"bin/{applet}": "busybox" for applet in applets if applet != "busybox"},
        texts={
            "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n",
            "etc/group": "root:x:0:\nnogroup:x:65534:\n",
        },
    )


def _kubectl() -> Path:
    return binaries.build(binaries.KUBERNETES) / "kubernetes"


def _coredns() -> Path:
    return binaries.build(binaries.COREDNS) / "coredns"


def _pause() -> Path:
    return binaries.build(binaries.PAUSE) / "pause"


def _config(image: Image, digests: Sequence[str]) -> dict[str, object]:
    return {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Cmd": list(image.command), "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
    }


def _member(place: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(place)
    member.type, member.mode = kind, mode
    return member


def _add_file(archive: tarfile.TarFile, place: str, content: bytes, mode: int) -> None:
    member = _member(place, tarfile.REGTYPE, mode)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
