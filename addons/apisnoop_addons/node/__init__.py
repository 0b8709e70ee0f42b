"""The node's proxy: carries and records the API connections of pods that the node agent hands to it.

It has no privileges: sockets come from the agent. Here belongs what a node has and `apisnoop run` has not.
"""
