"""The certificate with which the node's proxy stands in for the API server.

Belongs here: asking the cluster's signers for it, trying whether pods would accept it, our own authority where they
would not, renewal, and the admission policy that ties the right to approve to these requests. Does not belong here:
who mounts the result, and whatever runs for longer than a Job.
"""
