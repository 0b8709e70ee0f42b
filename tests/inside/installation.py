"""Node agent and proxy as processes of a node, with a certificate that `apisnoop-certs` had the cluster sign.

As the DaemonSet runs them, but from the working tree and without images: the agent is root, the proxy user 65532
without a capability, and they share a folder with the agent's socket, nothing else.
"""

from __future__ import annotations

import base64
import http.client
import os
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from apisnoop.calls.recording import Gap, gaps_of
from apisnoop.store.recordings import recordings_in
from apisnoop.store.store import Store
from apisnoop_tproxy.namespace import in_namespace
from cluster.access import write_kubeconfig
from tests.certs.installation import Installation as Certificates
from tests.inside.clock import Clock, is_overload
from tests.inside.processes import NodeProcess, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.cluster import Cluster
    from tests.inside.pods import Pod

NAMESPACE = "apisnoop"
ROUNDS, LONGEST = 4, 300.0
"""How often, and for how many seconds, a scenario is played that the proxy was too late for."""
PROXY_USER = 65532
AGENT_ADDRESS, PROXY_ADDRESS = ("127.0.0.1", 15020), ("127.0.0.1", 15021)
AS_PROXY = (
    "setpriv", f"--reuid={PROXY_USER}", f"--regid={PROXY_USER}", "--clear-groups", "--bounding-set=-all",
    "--inh-caps=-all", "--no-new-privs",
)  # fmt: skip


class Installation:
    """One node's agent and proxy. Everything they write is in `folder`."""

    def __init__(self, cluster: Cluster, folder: Path, **agent: str) -> None:
        """`agent` are further settings of the agent."""
        self.cluster, self.node = cluster, cluster.nodes[0]
        self.folder = self.node.directory / "apisnoop"  # the node sees it at the same place
        for part in ("run", "tls", "store", "home"):
            (self.folder / part).mkdir(parents=True)
        for part in ("store", "home"):
            os.chown(self.folder / part, PROXY_USER, PROXY_USER)
        self.store = self.folder / "store/apisnoop.db"
        cluster.kubectl("create", "namespace", NAMESPACE)
        self.certificates = Certificates(cluster, NAMESPACE, folder)
        self.issue()
        self._let_anybody_start_python()
        self.agent = self._process("agent", self._agent_command(), {"NODE_NAME": self.node.name, **agent})
        self.proxy = self._process("proxy", self._proxy_command(), self._proxy_environment())

    def issue(self) -> None:
        """Have a new certificate signed, and put it where agent and proxy look, as the kubelet replaces a Secret."""
        done = self.certificates.run("issue")
        if done.returncode:
            raise RuntimeError(done.stderr)
        data = self.certificates.secret()
        generation = Path(self.folder / "tls" / f"..{os.urandom(4).hex()}")
        generation.mkdir()
        for name in ("tls.crt", "tls.key"):
            (generation / name).write_bytes(base64.b64decode(data[name]))
            (generation / name).chmod(0o644 if name == "tls.crt" else 0o440)
            os.chown(generation / name, 0, PROXY_USER)
            if not (self.folder / "tls" / name).is_symlink():
                (self.folder / "tls" / name).symlink_to(f"..data/{name}")
        (self.folder / "tls/..new").symlink_to(generation.name)
        (self.folder / "tls/..new").rename(self.folder / "tls/..data")

    def start(self) -> None:
        """Start both, and return when the proxy answers; they find one another."""
        for process in (self.agent, self.proxy):
            process.start()
        self.wait_until_well()

    def stop(self) -> None:
        """End both as the kubelet does."""
        for process in (self.proxy, self.agent):
            process.end()

    def wait_until_well(self) -> None:
        """Wait until the proxy answers, which may just have been started."""
        wait_until(self._is_well, f"the proxy; see {self.proxy.log}")

    def _is_well(self) -> bool:
        try:
            return self.ask("/healthz") == b"ok\n"
        except OSError:
            return False

    # -- what is asked of the proxy ---------------------------------------------------------------------------------

    def connect(self, address: tuple[str, int] = PROXY_ADDRESS) -> http.client.HTTPConnection:
        """Connect to the proxy's or the agent's loopback, as a port-forward does."""
        connection = http.client.HTTPConnection(*address, timeout=60)
        space = os.open(f"/proc/{self.node.pid}/ns/net", os.O_RDONLY)
        try:
            in_namespace(space, connection.connect)
        finally:
            os.close(space)
        return connection

    def ask(self, path: str, address: tuple[str, int] = PROXY_ADDRESS) -> bytes:
        """GET something of the proxy, or of the agent. Raises OSError."""
        with closing(self.connect(address)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        if answer.status != 200:
            raise OSError(f"{path}: {answer.status} {body[:200]!r}")
        return body

    def snapshot(self, path: Path) -> Path:
        """Fetch all that is recorded now."""
        path.write_bytes(self.ask("/snapshot"))
        return path

    def proxy_status(self) -> Any:
        """Ask the proxy how it is."""
        return msgspec.json.decode(self.ask("/status"))

    def is_recording(self, pod: Pod) -> bool:
        """Tell whether the proxy records a pod's new connections now."""
        try:
            return any(one["uid"] == pod.uid for one in self.proxy_status()["pods"])
        except OSError:
            return False

    def until_recorded(self, pod: Pod) -> None:
        """Wait until a pod is recorded. Raises TimeoutError, which says how agent and proxy are instead."""
        try:
            wait_until(lambda: self.is_recording(pod), f"{pod.name} to be recorded")
        except TimeoutError as error:
            says = f"{error}\nthe agent says {self._agent_says(pod)}"
            raise TimeoutError("\n".join([says, *(process.tell() for process in (self.agent, self.proxy))])) from None

    def _agent_says(self, pod: Pod) -> str:
        try:
            status = msgspec.json.decode(self.ask("/status", AGENT_ADDRESS))
        except OSError as error:
            return f"nothing: {error}"
        return f"{status['proxy']} {[one for one in status['pods'] if one['uid'] == pod.uid]}"

    def gaps(self, pod: Pod, folder: Path) -> list[Gap]:
        """Return when the pod was not recorded although it should have been, as the store has it."""
        uid = pod.uid
        with Store.open(self.snapshot(folder / "gaps.db"), create=False, read_only=True) as store:
            return gaps_of(one for one in recordings_in(store.connection) if one.pod_uid == uid)

    def undisturbed[Result](self, pod: Pod, folder: Path, scenario: Callable[[], Result]) -> Result:
        """Play a scenario, again if the agent led connections past the proxy meanwhile because that was late.

        Those are recorded gaps, and what is missing in them says nothing. The machine may be busy for minutes, as a
        small program sees; without that, some rounds must do. Raises RuntimeError when they do not.
        """
        began, late, recorded = time.monotonic(), 0, self.is_recording(pod)
        while late < ROUNDS and time.monotonic() < began + LONGEST:
            known = len(self.gaps(pod, folder))
            with Clock(self) as clock:
                result = scenario()
            gaps = [gap for gap in self.gaps(pod, folder)[known:] if is_overload(gap)]
            if not gaps:
                return result
            late += bool(clock.unexplained(gaps))
            if recorded:  # else that is the scenario's to bring about
                self.until_recorded(pod)
        raise RuntimeError(f"the proxy was too late in {late} rounds, and the machine busy in others: {gaps}")

    def rules(self, pod: Pod) -> str:
        """List what is in a pod's network namespace."""
        return self.in_namespace_of(pod, "nft", "list ruleset")

    def in_namespace_of(self, pod: Pod, *words: str) -> str:
        """Run a command of the node in a pod's network namespace, as root."""
        find = f"for p in /proc/[0-9]*; do grep -qs pod{pod.uid} $p/cgroup && echo ${{p#/proc/}} && break; done"
        pid = self.in_node("sh", "-c", find).strip()
        return self.in_node("nsenter", "--target", pid, "--net", *words)

    def in_node(self, *words: str | Path, check: bool = True) -> str:
        """Run a command in the node as root."""
        done = subprocess.run(self.node.command(*words), capture_output=True, text=True, check=check)
        return done.stdout

    # -- how they are started ---------------------------------------------------------------------------------------

    def _process(self, name: str, command: list[str | Path], environment: dict[str, str]) -> NodeProcess:
        shared = {
            "APISNOOP_AGENT_SOCKET": str(self.folder / "run/agent.sock"),
            "APISNOOP_TLS": str(self.folder / "tls"),
        }
        return NodeProcess(self.node, command, {**shared, **environment}, self.cluster.log(name))

    def _agent_command(self) -> list[str | Path]:
        kubeconfig = self.folder / "agent.kubeconfig"
        admin = self.cluster.client_certificate("apisnoop-agent", ["system:masters"])
        user = {"client-certificate": str(admin.certificate), "client-key": str(admin.key)}
        config = self._kubeconfig(kubeconfig, user)
        return [sys.executable, "-c", "from apisnoop_tproxy.main import main; main()", "agent", "--kubeconfig", config]

    def _proxy_command(self) -> list[str | Path]:
        return [*AS_PROXY, sys.executable, "-c", "from apisnoop_addons.node.command import main; main()"]

    def _proxy_environment(self) -> dict[str, str]:
        kubeconfig = self._kubeconfig(
            self.folder / "proxy.kubeconfig", {"token": self.cluster.service_account_token(NAMESPACE, duration="24h")}
        )
        os.chown(kubeconfig, PROXY_USER, PROXY_USER)
        return {
            "NODE_NAME": self.node.name,
            "HOME": str(self.folder / "home"),
            "KUBECONFIG": str(kubeconfig),
            "APISNOOP_CA": str(self._authority()),
            "APISNOOP_STORE": str(self.store),
        }

    def _kubeconfig(self, path: Path, user: dict[str, str]) -> Path:
        """Write a kubeconfig with files that the node sees."""
        for field in ("client-certificate", "client-key"):
            if field in user:
                copy = path.with_suffix(f".{field}")
                copy.write_bytes(Path(user[field]).read_bytes())
                copy.chmod(0o600)
                user[field] = str(copy)
        write_kubeconfig(path, self.cluster.apiserver_url, self._authority(), user)
        return path

    def _authority(self) -> Path:
        copy = self.folder / "ca.crt"
        copy.write_bytes(self.cluster.ca_file.read_bytes())
        return copy

    def _let_anybody_start_python(self) -> None:
        """Open, in the node only, the folders above the interpreter: a developer's home is often closed to others."""
        for prefix in (sys.prefix, sys.base_prefix, str(Path(__file__).parent)):
            for folder in Path(prefix).resolve().parents:
                if not folder.stat().st_mode & stat.S_IXOTH:
                    self.in_node("chmod", "o+x", folder)
