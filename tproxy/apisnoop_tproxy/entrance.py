"""The agent's ways to pods: their processes, their network namespaces, their files. Everything that may take time runs
in threads, for a pod's file system may never answer.
"""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from apisnoop_tproxy.cni_results import cni_addresses
from apisnoop_tproxy.foothold import Foothold, NotThereError, find_foothold, find_sibling
from apisnoop_tproxy.outstanding import Outstanding
from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.processes import HOST, PROC, PodProcesses
from apisnoop_tproxy.settings import Settings
from apisnoop_tproxy.trust import MISSING, Trust, check_trust

_TRUST_SECONDS = 3.0
_LOOK_SECONDS = 1.0
"""How old a look at the node's processes may be where nothing depends on the latest of them."""
_HANGING = 64
"""Pods whose file systems may hang before others have to wait for one of them."""
_SILENT = Trust(False, "its file system does not answer, so that its ca.crt cannot be read")


class Entrance:
    """Of one node."""

    def __init__(self, settings: Settings, host: Path = HOST, proc: Path = PROC) -> None:
        """`host` is the node's first process, `proc` where processes are seen."""
        self._settings = settings
        self._host, self._proc = host, proc
        self._processes = PodProcesses(proc)
        self._trusting: Outstanding[Trust] = Outstanding(_HANGING, "trust")
        self._accepted: dict[str, bytes] = {}
        """By pod: the certificate that it would have accepted when it was last asked."""

    def forget(self, pod_uid: str) -> None:
        """Forget a pod."""
        self._accepted.pop(pod_uid, None)

    def containers(self, pod_uid: str, age: float = 0.0) -> dict[int, str]:
        """Return a pod's processes, and the runtime's ID of the container of each, as of `age` seconds ago or later."""
        self._processes.refresh(time.monotonic() - age)
        return {pid: group.container for pid, group in self._processes.of_pod(pod_uid).items()}

    async def enter(self, pod: PodFacts) -> Foothold:
        """Enter a pod's network namespace. Raises NotThereError, OSError."""
        entering = asyncio.get_running_loop().run_in_executor(None, self._enter, pod)
        try:
            return await asyncio.shield(entering)
        except asyncio.CancelledError:
            entering.add_done_callback(_abandon)
            raise

    async def stay(self, pod: PodFacts, foothold: Foothold) -> bool:
        """Hold on to another process of a pod in the same network namespace; False if there is none."""
        return await asyncio.to_thread(self._stay, pod, foothold)

    async def trust(self, pod: PodFacts, pid: int) -> Trust:
        """Find out whether a pod would accept our certificate.

        One whose file system does not answer would not; unless it would have, and we still show the same certificate.
        """
        chain = self._chain()
        if not chain:
            return Trust(False, MISSING)
        found = await self._trusting.ask(pod.uid, lambda: self._trust(chain, pod, pid), _TRUST_SECONDS)
        if found is None:
            return Trust(True) if self._accepted.get(pod.uid) == chain else _SILENT
        if found.accepted:
            self._accepted[pod.uid] = chain
        else:
            self.forget(pod.uid)
        return found

    def _enter(self, pod: PodFacts) -> Foothold:
        asked = time.monotonic()
        try:
            return self._find(pod)
        except NotThereError:
            self._processes.refresh(asked)
        return self._find(pod)

    def _find(self, pod: PodFacts) -> Foothold:
        addresses = pod.addresses
        if not addresses:  # the kubelet tells them late; the runtime has noted them before the first process
            sandboxes = {group.container for group in self._processes.of_pod(pod.uid).values()}
            addresses = cni_addresses(self._on_node(self._settings.cni) / "results", pod.uid, sandboxes)
        return find_foothold(self._processes, pod.uid, addresses, self._proc, self._host)

    def _stay(self, pod: PodFacts, foothold: Foothold) -> bool:
        self._processes.refresh(time.monotonic())
        return find_sibling(self._processes, pod.uid, foothold, self._proc)

    def _chain(self) -> bytes:
        with suppress(OSError):
            return self._settings.certificate.read_bytes()
        return b""

    def _trust(self, chain: bytes, pod: PodFacts, pid: int) -> Trust:
        roots = [
            self._proc / str(one) / "root" for one in dict.fromkeys([pid, *self.containers(pod.uid, _LOOK_SECONDS)])
        ]
        volumes = self._on_node(self._settings.kubelet) / "pods" / pod.uid / "volumes" / "kubernetes.io~projected"
        return check_trust(chain, roots, volumes, datetime.now(UTC))

    def _on_node(self, path: Path) -> Path:
        return self._host / "root" / str(path).lstrip("/")


def _abandon(entering: asyncio.Future[Foothold]) -> None:
    """Close what was entered just as nobody wanted it any more."""
    if not entering.cancelled() and entering.exception() is None:
        entering.result().close()
