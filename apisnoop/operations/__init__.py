"""What the API can do: OpenAPI documents become a catalogue of operations, and a request is matched against it.

Belongs here: reading specifications, the shipped catalogues, the path trie, verb and detail of a request. Does not
belong here: who called (calls), how often (store), network access at import time.
"""
