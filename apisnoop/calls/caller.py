"""The caller: who made a call, as far as a source can tell."""

import msgspec


class Caller(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Who made a call. An empty string means unknown: nothing here is ever guessed."""

    node: str = ""
    namespace: str = ""
    """Namespace of the pod or of the service account."""
    pod: str = ""
    pod_uid: str = ""
    container: str = ""
    workload: str = ""
    """Owner of the pod as kind/name, e.g. deployment/web."""
    service_account: str = ""
    """namespace/name."""
    user: str = ""
    """The authenticated user name, e.g. system:serviceaccount:shop:web or alice."""
    client: str = ""
    """Program name from the user agent, e.g. kubectl."""
    client_version: str = ""
    component: str = ""
    """Suffix of a client-go user agent, e.g. leader-election."""
    test: str = ""
    """e2e test name from the user agent."""
