"""mitmproxy addons that record Kubernetes API calls, and the proxy process built from them.

Belongs here: everything that imports mitmproxy. Does not belong here: what a request means (apisnoop.operations).
"""
