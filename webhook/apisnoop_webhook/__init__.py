"""The mutating admission webhook: pods that want to be recorded wait until they are, and trust our certificate.

Belongs here: what is changed in a pod and when it is left alone, the server that the API server asks, that server's own
certificate, and the bundles of own-CA mode. Does not belong here: whatever happens to a pod that already exists.
"""
