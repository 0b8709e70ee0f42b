"""The wire between the node agent and the node's proxy: all that the two share.

Here belong the messages and the passing of sockets. What either side does with them does not.
"""
