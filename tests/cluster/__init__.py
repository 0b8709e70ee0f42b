"""A real Kubernetes on this machine, for tests and demonstrations: see README.md in this folder.

with Cluster.start(nodes=2) as cluster:
    print(cluster.kubectl("get", "nodes"))
"""

from .apiserver import ApiServer
from .cluster import Cluster

__all__ = ["ApiServer", "Cluster"]
