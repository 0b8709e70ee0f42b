"""`apisnoop run -- CMD`: a command, its kubeconfig pointed at a proxy on loopback, and the report of what it called.

Belongs here: kubeconfigs, credentials, the child process, the run itself. Does not belong here: what the proxy does
with a request (`apisnoop_addons.engine` and the addons beside it), how calls are counted (`apisnoop`).
"""
