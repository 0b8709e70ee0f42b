"""Whether a client that trusts what a pod trusts accepts our certificate, found out by trying.

A TLS handshake in memory for each name is what a client does: chain, dates, server-auth usage, host name or address and
possession of the key in one go. Nothing goes over a network. It is OpenSSL's judgement; like Go, curl and Python since
3.13 it takes any certificate of the bundle as an anchor, not only self-signed ones.
"""

import os
import ssl
from collections.abc import Iterable
from contextlib import suppress

from apisnoop.errors import ApisnoopError
from apisnoop_certs.leaf import Leaf


def refusal(leaf: Leaf, authorities: str, names: Iterable[str]) -> str | None:
    """Say why a client that trusts `authorities` (PEM) would refuse `leaf` for one of `names`; None if it would not.

    Raises ApisnoopError when `authorities` holds no certificate.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        client.load_verify_locations(cadata=authorities)
    except ssl.SSLError as error:
        raise ApisnoopError(
            f"what pods should trust cannot be read: {error.reason}; see `kubectl get cm kube-root-ca.crt -o yaml`"
        ) from None
    try:
        server = _server(leaf)
    except ssl.SSLError as error:
        return f"certificate and key cannot be used: {error.reason or error}"
    return next((why for name in names if (why := _try(client, server, name))), None)


def _server(leaf: Leaf) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # OpenSSL reads keys from files only; this one has no name and is in no file system.
    descriptor = os.memfd_create("leaf")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(f"{leaf.key}\n{leaf.chain}".encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context


def _try(client_side: ssl.SSLContext, server_side: ssl.SSLContext, name: str) -> str | None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    try:
        # The client's hello, then the server's whole flight, then the client's judgement of it.
        for side in (client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
        client.do_handshake()
    except ssl.SSLCertVerificationError as error:
        return f"{name}: {error.verify_message}"
    except ssl.SSLError as error:
        return f"{name}: {error.reason or error}"
    return None
