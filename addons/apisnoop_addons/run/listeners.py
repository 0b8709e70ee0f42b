"""Listeners on loopback, one for each cluster of a kubeconfig, as the proxy engine takes them."""

import datetime
import socket
from collections.abc import Iterable

from mitmproxy.connection import Client

from apisnoop.calls.caller import Caller
from apisnoop.causes import cause_of
from apisnoop.errors import ApisnoopError
from apisnoop_addons.engine.listener import Listener
from apisnoop_addons.engine.upstream import KeyPair, Upstream
from apisnoop_addons.run.certificates import LOOPBACK
from apisnoop_addons.run.credentials import ClientCertificates
from apisnoop_addons.run.failures import explain_failure
from apisnoop_addons.run.notices import Notices
from apisnoop_addons.run.servers import Server


def open_listeners(
    servers: Iterable[Server], certificate: KeyPair, certificates: ClientCertificates, notices: Notices
) -> list[Listener]:
    """Bind a free port of loopback for each server. Raises ApisnoopError where none can be had."""
    return [_listener(server, certificate, certificates, notices) for server in servers]


def address_of(listener: Listener) -> str:
    """Return host:port of a listener."""
    host, port = listener.socket.getsockname()
    return f"{host}:{port}"


def certificate_for(client: Client, certificates: ClientCertificates, notices: Notices) -> KeyPair | None:
    """Return what to show the server for a client: the certificate that it has shown us, if we know its key."""
    if not client.certificate_list:
        return None
    shown = client.certificate_list[0].to_cryptography()
    name = shown.subject.rfc4514_string()
    found = certificates.find(shown)
    if found is None:
        notices.tell(
            f"client certificate {name} is in no user of the kubeconfig, so the server is not shown it; "
            "put it into the kubeconfig",
            always=True,
        )
    elif shown.not_valid_after_utc < datetime.datetime.now(datetime.UTC):
        notices.tell(
            f"client certificate {name} expired on {shown.not_valid_after_utc:%Y-%m-%d}; renew it", always=True
        )
    return found


def _listener(server: Server, certificate: KeyPair, certificates: ClientCertificates, notices: Notices) -> Listener:
    def present(client: Client) -> KeyPair | None:
        if server.insecure:
            notices.tell(
                f"cluster {server.cluster!r}: {server.url} is not verified, as insecure-skip-tls-verify asks for"
            )
        return certificate_for(client, certificates, notices)

    upstream = Upstream(
        host=server.host,
        port=server.port,
        tls=server.scheme == "https",
        server_name=server.server_name,
        ca_pem=server.ca,
        insecure=server.insecure,
        client_certificate=present,
        proxy_url=server.proxy_url,
        authority=server.authority,
        path_prefix=server.path,
    )
    return Listener(
        socket=_bound_socket(server.cluster),
        identity=Caller(),
        upstream=upstream,
        certificate=certificate if upstream.tls else None,
        request_client_certificate=True,
        on_failure=lambda _, reason: notices.tell(explain_failure(server, reason), always=True),
        explain_failures=True,
        label=server.cluster,
    )


def _bound_socket(cluster: str) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.bind((str(LOOPBACK), 0))
    except OSError as error:
        bound.close()
        what = f"no port on {LOOPBACK} ({cause_of(error)}); free some ports"
        raise ApisnoopError(f"cluster {cluster!r}: {what}") from None
    bound.setblocking(False)
    return bound
