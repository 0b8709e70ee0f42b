"""A node: containerd, kubelet and kube-proxy in namespaces of their own, as if they had a machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache, cgroups
from .images import full_name
from .packages import SYSTEM_PATH
from .slot import KUBERNETES_SERVICE

if TYPE_CHECKING:
    from .processes import Processes

_INIT = Path(__file__).parent / "node-init.sh"
_NAMESPACES = ("--net", "--mount", "--uts", "--ipc", "--cgroup", "--pid")
_BOOT_TIMEOUT = 30.0
_RUNTIME_TIMEOUT = 120.0
"""Seconds for containerd, which takes stock of the pods of its last life first; only a failure reaches it."""
_NO_PROXY = urllib.request.ProxyHandler({})


class Node:
    """One running node."""

    def __init__(self, processes: Processes, number: int, programs: Path) -> None:
        """Start the first process of node `number`, which then waits for the words that node-init.sh names.

        The node's folder is there with its files; `programs` holds everything built that a node runs.
        """
        self.number = number
        self.name = node_name(number)
        self.address = processes.slot.node_address(number)
        cluster = processes.slot.directory
        self.directory = cluster / self.name
        """The node's folder; its `disk` holds the node's own /var/lib/kubelet, /var/log/pods and the like."""
        self._processes = processes
        self._path = f"{programs}:{SYSTEM_PATH}"
        with contextlib.suppress(FileExistsError):  # it has run before
            os.mkfifo(self.directory / "gate")
        mounts = "".join(f"{hierarchy.mount_line}\n" for hierarchy in cgroups.hierarchies())
        (self.directory / "cgroup-mounts").write_text(mounts)
        init = ["env", f"PATH={self._path}", str(_INIT), str(cluster), self.name, str(cache.directory())]
        command = ["unshare", *_NAMESPACES, "--fork", "--kill-child", *init]
        unshare = processes.start(self.name, command, join=cgroups.create(processes.slot, self.name))
        self._gate = self._open_gate()
        self.pid = _only_child(unshare)
        """The node's first process, as the machine numbers it: `nsenter --target PID --all` enters the node."""

    def start_containerd(self) -> None:
        """Start it, once the node is plugged in."""
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify = self.directory / "notify"
        notify.unlink(missing_ok=True)  # of an earlier boot
        self._notices.bind(str(notify))
        self._notices.setblocking(False)
        self._tell("network")

    def start_kubelet(self) -> None:
        """Start it with kube-proxy, once the Node object exists, as soon as containerd serves it.

        A kubelet asks once. It ends when nobody answers, or when containerd is still taking stock.
        """
        with self._notices:
            self._processes.wait_until(self._containerd_is_ready, f"containerd on {self.name}", _RUNTIME_TIMEOUT)
        self._tell("kubelet")

    def stop(self) -> None:
        """End every process of the node at once; what a real machine forgets without power is forgotten."""
        self._processes.stop(self.name, 0)
        os.close(self._gate)
        cgroups.remove(self._processes.slot, self.name)
        shutil.rmtree(self.directory / "disk/run", ignore_errors=True)

    def start_import(self, archive: Path, name: str = "") -> Import:
        """Begin to import an archive of images into containerd, which may still be starting; see `load_image`."""
        socket = self.directory / "disk/run/containerd/containerd.sock"
        self._processes.wait_until(socket.is_socket, f"containerd on {self.name}", _BOOT_TIMEOUT)
        named = [f"--index-name={full_name(name)}"] if name else []
        return Import(self.name, archive, self.command("ctr", "--namespace=k8s.io", "images", "import", *named, "-"))

    def pod_uids(self) -> set[str]:
        """Return the UIDs of all pods that the node has groups of: it removes them last."""
        (hierarchy, *_) = cgroups.hierarchies()
        groups = cgroups.group_of(self.pid, hierarchy)
        assert groups is not None  # the node has mounted them all
        return {group.name.removeprefix("pod") for group in groups.parent.glob("kubepods/**/pod*-*")}

    def serves_services(self) -> bool:
        """Ask the node's kube-proxy whether its rules are in place."""
        try:
            with urllib.request.build_opener(_NO_PROXY).open(f"http://{self.address}:10256/healthz", timeout=5):
                return True
        except OSError:
            return False

    def reaches_the_api(self) -> bool:
        """Connect to the API server by way of its Service, which kube-proxy rejects while it knows of no endpoint."""
        there = f"import socket; socket.create_connection(({str(KUBERNETES_SERVICE)!r}, 443), 5).close()"
        done = subprocess.run(self.command(sys.executable, "-c", there), check=False, stderr=subprocess.DEVNULL)
        return done.returncode == 0

    def command(self, *words: str | Path) -> list[str]:
        """Return the command that runs `words` in the node, as root, seeing what the node sees.

        The machine's own files are there (copied on write) except those on other file systems than its root.
        """
        environment = ["env", f"PATH={self._path}"]
        return ["nsenter", "--target", str(self.pid), "--all", "--", *environment, *map(str, words)]

    def _tell(self, word: str) -> None:
        """Let the node go on; node-init.sh says which words it waits for."""
        os.write(self._gate, f"{word}\n".encode())

    def _containerd_is_ready(self) -> bool:
        """Look whether containerd has said so, as it would to systemd (sd_notify(3))."""
        try:
            return self._notices.recv(1024) == b"READY=1"
        except BlockingIOError:
            return False

    def _open_gate(self) -> int:
        """Open the node's pipe for writing, which is possible as soon as its first process reads it."""
        gate = self.directory / "gate"
        descriptors: list[int] = []

        def is_read() -> bool:
            try:
                descriptors.append(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
            except OSError:  # ENXIO: nobody reads yet. A blocking open would wait for ever if the node died.
                return False
            return True

        self._processes.wait_until(is_read, self.name, _BOOT_TIMEOUT)
        return descriptors[0]


class Import:
    """An image import that is under way on one node."""

    def __init__(self, node: str, archive: Path, command: list[str]) -> None:
        self._what = f"{archive} on {node}"
        # Through a pipe, since the node need not see the folder the archive is in.
        with archive.open("rb") as content:
            self._process = subprocess.Popen(
                command, stdin=content, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )

    def finish(self) -> None:
        """Wait for the end; raises RuntimeError with ctr's message when the import failed."""
        output, _ = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(f"cannot import {self._what}: {output.strip()}")


def node_name(number: int) -> str:
    """Return the name of node `number`, counted from 1."""
    return f"node{number}"


def _only_child(pid: int) -> int:
    """Return the one child of a process: the first process of the pid namespace that `unshare --fork` made."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)
