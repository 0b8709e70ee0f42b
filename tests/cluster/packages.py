"""What a node needs from the Linux distribution."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache

if TYPE_CHECKING:
    from collections.abc import Sequence

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Need:
    """A program, by name or by path, and the Debian package that has it."""

    program: str
    package: str

    @property
    def is_met(self) -> bool:
        return shutil.which(self.program, path=SYSTEM_PATH) is not None


CNI_PLUGINS = Path("/usr/lib/cni")
BUSYBOX = Path("/bin/busybox")

NEEDS = (
    Need("ip", "iproute2"),
    Need("iptables", "iptables"),  # for the CNI plugin `portmap`
    Need("nft", "nftables"),
    Need("nsenter", "util-linux"),
    Need("runc", "runc"),
    Need(str(BUSYBOX), "busybox-static"),
    Need(str(CNI_PLUGINS / "bridge"), "containernetworking-plugins"),
)


def require(needs: Sequence[Need] | None = None, purpose: str = "a cluster with nodes") -> None:
    """Make sure that everything in `needs` (else NEEDS) is there, installing what is missing where that is possible.

    Raises RuntimeError naming the missing programs and their Debian packages.
    """
    needs = NEEDS if needs is None else needs
    if all(need.is_met for need in needs):
        return
    cache.directory().mkdir(parents=True, exist_ok=True)
    with (cache.directory() / "packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [need for need in needs if not need.is_met]
        if missing and _can_install():
            _install([need.package for need in missing])
    if missing := [need for need in needs if not need.is_met]:
        programs = ", ".join(f"{need.program} (Debian package {need.package})" for need in missing)
        raise RuntimeError(f"{purpose} needs programs that this machine lacks: {programs}")


def _can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install(names: list[str]) -> None:
    print(f"installing {' '.join(names)}", file=sys.stderr)
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *names]
    for command in (["apt-get", "update", "--quiet"], install):
        subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            check=False,  # whether it is enough is looked at afterwards
            stdin=subprocess.DEVNULL,
            stdout=cache.STANDARD_ERROR,
        )
