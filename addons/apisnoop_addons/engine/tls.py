"""TLS towards clients and towards the server: OpenSSL contexts made from values in memory, none from files.

mitmproxy's own addon for this caches contexts by the path of a file and generates certificates; here every listener has
its certificate, and every upstream its trust and its client certificate, as bytes.
"""

import ipaddress
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from mitmproxy.net.tls import accept_all
from mitmproxy.tls import TlsData
from OpenSSL import SSL, crypto

from apisnoop.errors import ApisnoopError
from apisnoop_addons.engine.listener import Client
from apisnoop_addons.engine.upstream import KeyPair

HTTP1 = b"http/1.1"
HTTP2 = b"h2"


class TlsContexts:
    """The addon that gives mitmproxy's TLS layers their OpenSSL connections."""

    def tls_start_client(self, tls_start: TlsData) -> None:
        """Begin TLS with a client."""
        client = tls_start.conn
        assert isinstance(client, Client)
        listener = client.listener
        assert listener.certificate is not None
        shown = listener.certificate() if callable(listener.certificate) else listener.certificate
        context = client_facing_context(shown, listener.request_client_certificate)
        tls_start.ssl_conn = SSL.Connection(context)
        tls_start.ssl_conn.set_app_data(listener.protocols.for_client())
        tls_start.ssl_conn.set_accept_state()

    def tls_start_server(self, tls_start: TlsData) -> None:
        """Begin TLS with the API server, or with the https:// proxy before it."""
        server, client = tls_start.conn, tls_start.context.client
        assert isinstance(client, Client)
        try:
            if server == tls_start.context.server:
                connection = _towards_server(client)
                server.alpn_offers = offers_for(client.alpn)
            else:
                # Go's net/http, and so kubectl, verifies an https:// proxy as it verifies the server behind it.
                upstream = client.listener.upstream
                connection = SSL.Connection(server_facing_context(upstream.ca_pem, upstream.insecure, None))
                expect_name(connection, server.sni or "")
        except (ApisnoopError, ValueError, SSL.Error) as error:
            server.error = str(error) if isinstance(error, ApisnoopError) else "a certificate or key cannot be read"
            return
        if server.alpn_offers:
            connection.set_alpn_protos(list(server.alpn_offers))
        connection.set_connect_state()
        tls_start.ssl_conn = connection

    def tls_established_server(self, established: TlsData) -> None:
        """Learn what the server speaks."""
        server, client = established.conn, established.context.client
        assert isinstance(client, Client)
        if HTTP2 in server.alpn_offers:
            client.listener.protocols.http2 = server.alpn == HTTP2


def _towards_server(client: Client) -> SSL.Connection:
    upstream = client.listener.upstream
    key_pair = upstream.client_certificate(client)
    connection = SSL.Connection(server_facing_context(upstream.ca_pem, upstream.insecure, key_pair))
    expect_name(connection, upstream.name)
    return connection


def offers_for(client_alpn: bytes | None) -> tuple[bytes, ...]:
    """List the protocols to offer upstream for a client's one: the same first, so that upgrades stay possible."""
    if client_alpn == HTTP2:
        return (HTTP2, HTTP1)
    return (HTTP1,) if client_alpn else ()


@lru_cache(64)
def client_facing_context(key_pair: KeyPair, request_certificate: bool) -> SSL.Context:
    """Make the context for a listener's clients. Raise ValueError if the key pair cannot be read."""
    context = _context(SSL.TLS_SERVER_METHOD)
    _use(context, key_pair)
    context.set_alpn_select_callback(_select_protocol)
    context.set_session_id(b"apisnoop")
    if request_certificate:
        context.set_verify(SSL.VERIFY_PEER, accept_all)
    return context


@lru_cache(64)
def server_facing_context(ca_pem: bytes | None, insecure: bool, key_pair: KeyPair | None) -> SSL.Context:
    """Make the context for connections to a server. Raise ValueError if a certificate or key cannot be read."""
    context = _context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE if insecure else SSL.VERIFY_PEER)
    if ca_pem is None:
        context.set_default_verify_paths()
    else:
        store = context.get_cert_store()
        assert store is not None
        for certificate in x509.load_pem_x509_certificates(ca_pem):
            store.add_cert(crypto.X509.from_cryptography(certificate))
    if key_pair is not None:
        _use(context, key_pair)
    return context


def expect_name(connection: SSL.Connection, name: str) -> None:
    """Send a name as SNI and have it verified; an address is verified and, by RFC 6066 section 3, not sent."""
    library: Any = SSL._lib  # type: ignore[attr-defined]  # noqa: SLF001  pyOpenSSL has no public way to verify names
    parameters = library.SSL_get0_param(connection._ssl)  # noqa: SLF001
    library.X509_VERIFY_PARAM_set_hostflags(parameters, library.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS)
    try:
        address = ipaddress.ip_address(name).packed
    except ValueError:
        host = name.encode("idna")
        connection.set_tlsext_host_name(host)
        accepted = library.X509_VERIFY_PARAM_set1_host(parameters, host, len(host))
    else:
        accepted = library.X509_VERIFY_PARAM_set1_ip(parameters, address, len(address))
    if accepted != 1:
        raise ValueError(f"OpenSSL does not accept the server name {name!r}")


def _context(method: int) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(SSL._lib.SSL_MODE_RELEASE_BUFFERS)  # type: ignore[attr-defined]  # noqa: SLF001  34 kB an idle one
    return context


def _use(context: SSL.Context, key_pair: KeyPair) -> None:
    leaf, *chain = x509.load_pem_x509_certificates(key_pair.certificate)
    context.use_certificate(leaf)
    for certificate in chain:
        context.add_extra_chain_cert(certificate)
    context.use_privatekey(load_pem_private_key(key_pair.key, password=None))  # type: ignore[arg-type]
    context.check_privatekey()


def _select_protocol(connection: SSL.Connection, offered: list[bytes]) -> Any:  # noqa: ANN401  bytes or a sentinel
    spoken: tuple[bytes, ...] = connection.get_app_data()
    for protocol in offered:
        if protocol in spoken:
            return protocol
    return SSL.NO_OVERLAPPING_PROTOCOLS
