"""The proxy engine: mitmproxy's sans-io protocol layers, driven by a lean core of our own.

Belongs here: sockets, TLS, HTTP forwarding, the dispatch of hooks to addons. Does not belong here: what a call means,
who made it, what is kept of it (the addons beside this package), where kubeconfigs come from (`run`).
"""
