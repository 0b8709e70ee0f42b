"""What mitmproxy's layers ask their options for, as plain attributes with this proxy's values.

mitmproxy's own option objects look every value up by name, copy it and check it, several times a call. A test holds
the names here against what the installed layers ask for.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LayerSettings:
    """Stands in for `mitmproxy.options.Options` inside the layers. Names and meanings are mitmproxy's."""

    body_size_limit: None = None
    """Bodies are passed on as they come and never held whole, so their size is nobody's business here."""
    stream_large_bodies: None = None
    """Everything is streamed (addon `stream`), whatever its size."""
    store_streamed_bodies: bool = False
    """A watch never ends, and bodies hold secrets."""
    connection_strategy: str = "lazy"
    """Nothing is opened upstream until a client has shown that it speaks TLS, and with which certificate."""
    http2_ping_keepalive: int = 0
    """Seconds; 0: never. Our own upstream layer pings, because mitmproxy's does not mind whether there is an answer."""
    http_connect_send_host_header: bool = True
    keep_host_header: bool = True
    """Only `Upstream.authority` replaces it."""
    normalize_outbound_headers: bool = False
    """Headers go on as they came; only addons could have made them upper case."""
    proxy_debug: bool = False
    rawtcp: bool = True
    validate_inbound_headers: bool = True
    """Refuse ambiguous framing (two lengths, length and chunks): request smuggling."""
    websocket: bool = False
    """WebSockets pass as the bytes they are: mitmproxy's layer would keep every message."""
