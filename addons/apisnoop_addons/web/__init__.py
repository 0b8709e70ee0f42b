"""mitmweb for looking only: shows redacted copies of calls that another process makes, and changes nothing.

Here is what looks: the viewer, what it lets through, who may log in, and the wire it is fed by. What makes the copies
(`redact`, `node.feed`, `run.ui`) is not here, nor anything that could reach a cluster.
"""
