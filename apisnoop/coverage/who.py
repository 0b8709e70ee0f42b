"""Who made calls, in the words a person looks for: the workload and program rather than the fifth replica's pod.

Rolling up is all that happens here: what a source did not tell stays empty, and nothing is guessed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

UNKNOWN = "(unknown)"
"""How a report names what no source told; brackets cannot be part of a Kubernetes name."""
NO_SERVICE_ACCOUNT = "(no service account)"
"""How a report names users that are known and no service accounts."""


class CallerColumns(Protocol):
    """What a row of the store's callers knows (see apisnoop.calls.caller)."""

    @property
    def namespace(self) -> str: ...
    @property
    def pod(self) -> str: ...
    @property
    def container(self) -> str: ...
    @property
    def workload(self) -> str: ...
    @property
    def service_account(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def client(self) -> str: ...
    @property
    def client_version(self) -> str: ...
    @property
    def component(self) -> str: ...
    @property
    def test(self) -> str: ...


@dataclass(frozen=True, slots=True, order=True)
class Who:
    """A caller without the details that change from one replica, rollout or test to the next."""

    namespace: str = ""
    workload: str = ""
    """kind/name of the owner; pod/name where the owner is not known."""
    container: str = ""
    identity: str = ""
    """Service account as namespace/name, else the user name."""
    client: str = ""
    """Program with its version, e.g. kubectl/v1.34.1."""

    @property
    def place(self) -> str:
        """Where the caller runs, e.g. shop/deployment/web[app]; empty where unknown."""
        where = "/".join(part for part in (self.namespace, self.workload) if part) if self.workload else ""
        return f"{where}[{self.container}]" if where and self.container else where

    @property
    def label(self) -> str:
        """One line that names the caller: the place if known, else the identity; then the program."""
        name = self.place or self.identity or (f"namespace {self.namespace}" if self.namespace else "")
        if name and self.client:
            return f"{name} ({self.client})"
        return name or self.client or UNKNOWN


def who_of(caller: CallerColumns) -> Who:
    """Roll a caller up: pods into their workload, components and tests into their program."""
    program = f"{caller.client}/{caller.client_version}" if caller.client_version else caller.client
    return Who(
        namespace=caller.namespace,
        workload=caller.workload or (f"pod/{caller.pod}" if caller.pod else ""),
        container=caller.container,
        identity=caller.service_account or caller.user,
        client=program,
    )


class Dimension(StrEnum):
    """What `--by` can tell apart; `namespace` is the caller's, not the one a call was aimed at."""

    NAMESPACE = "namespace"
    WORKLOAD = "workload"
    POD = "pod"
    CONTAINER = "container"
    SERVICE_ACCOUNT = "serviceaccount"
    CLIENT = "client"
    TEST = "test"


def _within(caller: CallerColumns, name: str) -> str:
    return f"{caller.namespace}/{name}" if caller.namespace and name else name


def _container(caller: CallerColumns) -> str:
    pod = caller.workload or caller.pod
    return _within(caller, f"{pod}[{caller.container}]") if caller.container else ""


NAMES: dict[Dimension, Callable[[CallerColumns], str]] = {
    Dimension.NAMESPACE: lambda caller: caller.namespace,
    Dimension.WORKLOAD: lambda caller: _within(caller, caller.workload),
    Dimension.POD: lambda caller: _within(caller, caller.pod),
    Dimension.CONTAINER: _container,
    Dimension.SERVICE_ACCOUNT: lambda caller: caller.service_account,
    Dimension.CLIENT: lambda caller: who_of(caller).client,
    Dimension.TEST: lambda caller: caller.test,
}


def name_in(dimension: Dimension, caller: CallerColumns) -> str:
    """Give the caller's name in a dimension, UNKNOWN where no source told it.

    A user who is known and no service account is not unknown: NO_SERVICE_ACCOUNT.
    """
    without = NO_SERVICE_ACCOUNT if dimension is Dimension.SERVICE_ACCOUNT and caller.user else UNKNOWN
    return NAMES[dimension](caller) or without
