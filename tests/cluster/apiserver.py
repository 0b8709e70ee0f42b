"""A real API server with its etcd, for tests that need no node: ready in about three seconds, without root."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from . import binaries
from .preparation import prepare
from .processes import Processes
from .server import Server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ApiServer(Server):
    """A running API server without nodes; start it with `start`."""

    @classmethod
    def start(
        cls,
        *,
        controllers: bool = False,
        arguments: Sequence[str] = (),
        feature_gates: Mapping[str, bool] | None = None,
        audit_request_received: bool = False,
    ) -> Self:
        """Start etcd and kube-apiserver, and return when it is ready.

        With `controllers`, kube-controller-manager too: it makes service accounts and deletes namespaces.
        `arguments` are added to kube-apiserver's command line. The audit log has every request once, when it is over,
        and with `audit_request_received` also when it begins.
        """
        programs = binaries.build(binaries.KUBERNETES)
        with Processes.claim() as processes:
            slot = processes.slot
            plane = prepare(slot, slot.loopback, programs, feature_gates or {}, request_received=audit_request_received)
            server = cls(processes, plane)
            server._start_etcd()
            server._start_apiserver(arguments)
            server._wait_until_ready()
            if controllers:
                server._start_controllers()
                server._wait_for_default_service_account()
        return server
