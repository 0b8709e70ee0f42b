"""The core of apisnoop: what the Kubernetes API can do, what was called, and what that means.

It holds no network listener, needs no privileges and never imports mitmproxy. The components (proxy addons, node agent,
webhook, certificates) import it; it imports none of them.
"""

__version__ = "0.1.0"
