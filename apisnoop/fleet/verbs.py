"""The verbs that calls are chosen by, in one list for the help and for what reads them; no judgement of a call.

It imports nothing, so that `--help` need not wait for what a filter takes.
"""

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "connect")
"""What can be done with objects; `connect` is exec, attach, port-forward and proxy, whatever verb they come with."""
OTHER_VERBS = ("head", "options", "post", "put", "proxy")
"""Of requests that are about no object."""
