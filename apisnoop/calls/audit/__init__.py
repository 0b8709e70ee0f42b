"""Audit logs of the API server: bare events, and events in the envelopes of managed clusters.

Belongs here: what an event looks like, how each envelope is opened, how events become tallies. Does not belong here:
opening files and finding lines (inputs), how far a file was read (store).
"""
