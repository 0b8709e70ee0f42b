"""From what the API server knows of a user to the caller: service account, pod and node. Nothing is guessed.

Pod and node come from the claims of a bound service account token, which the server passes on as "extra" values
(https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#schema-for-service-account-private-claims).
"""

from apisnoop.calls.agent import Agent
from apisnoop.calls.caller import Caller

SERVICE_ACCOUNT = "system:serviceaccount:"
NODE = "system:node:"
LONGEST = 253


def caller_of(username: str, agent: Agent, *, pod: str = "", pod_uid: str = "", node: str = "") -> Caller:
    """Make the caller of a user name, the program it used, and the claims of its token (empty: not known)."""
    namespace, service_account = parse_service_account(username)
    return Caller(
        node=(node or parse_node(username))[:LONGEST],
        namespace=namespace,
        pod=pod[:LONGEST],
        pod_uid=pod_uid[:LONGEST],
        service_account=service_account,
        user=username[:LONGEST],
        client=agent.client,
        client_version=agent.client_version,
        component=agent.component,
        test=agent.test,
    )


def parse_service_account(username: str) -> tuple[str, str]:
    """Give namespace and namespace/name of a service account's user name; two empty strings for any other user."""
    if not username.startswith(SERVICE_ACCOUNT):
        return "", ""
    parts = username[len(SERVICE_ACCOUNT) :].split(":")
    if len(parts) != 2 or not all(parts):  # as the server: neither name can hold a colon
        return "", ""
    namespace, name = parts
    return namespace[:LONGEST], f"{namespace}/{name}"[: 2 * LONGEST]


def parse_node(username: str) -> str:
    """Give the node whose kubelet has this user name, or an empty string."""
    return username[len(NODE) :] if username.startswith(NODE) else ""
