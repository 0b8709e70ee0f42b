"""A control plane that this process started, and what one can do with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from . import control_plane
from .access import Access, Credentials, write_kubeconfig
from .api import Api
from .pki import LIFETIME, Authority, KeyPair

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from .control_plane import ControlPlane, Signer
    from .processes import Processes

READY_TIMEOUT = 120.0


class Server(Access):
    """A running control plane; leaving the context, or the death of this process, ends it and removes all it had."""

    _groups: Sequence[Path] = ()
    """Files that its processes write their ids into to join control groups."""

    def __init__(self, processes: Processes, plane: ControlPlane) -> None:
        super().__init__(plane.kubeconfig("admin"), plane.programs / "kubectl")
        self._processes = processes
        self._plane = plane
        self._authority = Authority.load(plane.pki)
        self._api = Api(plane.url, self.ca_file, KeyPair.named(plane.pki, "setup"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """Environment for a client: as everywhere, and the caches of kubectl and helm are the cluster's own."""
        caches = {
            "KUBECACHEDIR": "kubectl",
            "HELM_CACHE_HOME": "helm",
            "HELM_CONFIG_HOME": "helm",
            "HELM_DATA_HOME": "helm",
        }
        directories = {name: str(self.directory / "clients" / program) for name, program in caches.items()}
        return {**super().environment, **directories, "KUBERC": "off"}

    def stop(self) -> None:
        """End every process and remove everything; harmless when done before."""
        self._processes.tear_down()

    def stay(self) -> None:
        """Let the cluster outlive this process."""
        self._processes.stay()

    @property
    def audit_log(self) -> Path:
        """The audit log: one JSON event a line, complete when the request's answer is."""
        return self._plane.audit_log

    @property
    def ca_file(self) -> Path:
        """The authority that signed the server's certificate, PEM."""
        return self._plane.pki / "ca.crt"

    @property
    def directory(self) -> Path:
        """The cluster's own folder; it goes when the cluster does."""
        return self._plane.state

    def log(self, component: str) -> Path:
        """Return the log of a component: etcd, kube-apiserver, kube-controller-manager, node1, ..."""
        return self._processes.log(component)

    def client_certificate(
        self, user: str, groups: Sequence[str] = (), *, lifetime: datetime.timedelta = LIFETIME
    ) -> Credentials:
        """Sign a client certificate for a user, and write a kubeconfig with it.

        A negative `lifetime` gives one that has expired.
        """
        name = f"client-{time.monotonic_ns()}"
        pair = self._authority.issue(name, user=user, groups=groups, lifetime=lifetime)
        kubeconfig = self._plane.state / f"{name}.kubeconfig"
        user_fields = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
        write_kubeconfig(kubeconfig, self.apiserver_url, self.ca_file, user_fields)
        return Credentials(kubeconfig, pair.certificate, pair.key)

    def restart_apiserver(self, arguments: Sequence[str] = (), *, grace: float = 2.0) -> None:
        """Restart kube-apiserver with `arguments` in place of those it was started with, and wait until it is ready.

        It gets `grace` seconds to finish what it does and is killed then: an open watch would keep it for a minute.
        etcd, and with it every object, stays; so do the address and the audit log.
        """
        self._processes.stop("kube-apiserver", grace)
        self._start_apiserver(arguments)
        self._wait_until_ready()

    def restart_controllers(
        self, arguments: Sequence[str] = (), *, signers: Mapping[Signer, KeyPair | None] | None = None
    ) -> None:
        """Restart kube-controller-manager with `arguments` and `signers` in place of those it was started with.

        `signers` name the authorities that sign CertificateSigningRequests in place of the cluster's own, None for one
        that never signs: `{"kubelet-serving": Authority.create(directory).files}` gives that signer a foreign one.
        """
        self._processes.stop("kube-controller-manager", 0)
        self._start_controllers(arguments, signers)

    def _start_etcd(self) -> None:
        self._run("etcd", control_plane.etcd(self._plane))

    def _start_apiserver(self, arguments: Sequence[str]) -> None:
        self._run("kube-apiserver", [*control_plane.apiserver(self._plane), *arguments])

    def _start_controllers(
        self, arguments: Sequence[str] = (), signers: Mapping[Signer, KeyPair | None] | None = None
    ) -> None:
        command = [*control_plane.controller_manager(self._plane, signers), *arguments]
        self._run("kube-controller-manager", command)

    def _run(self, name: str, command: Sequence[str | Path]) -> None:
        self._processes.start(name, command, join=self._groups)

    def _wait_until_ready(self) -> None:
        self._processes.wait_until(self._api.is_ready, "the API server", READY_TIMEOUT)

    def _wait_for_default_service_account(self) -> None:
        """Wait for what every pod needs: one made earlier is refused."""
        path = "/api/v1/namespaces/default/serviceaccounts"
        self._api.wait_for(path, _has_default, READY_TIMEOUT)


def _has_default(accounts: Iterable[Mapping[str, Mapping[str, str]]]) -> bool:
    return any(account["metadata"]["name"] == "default" for account in accounts)
