"""Which of a node's agents has its pods, while there are two: the one that began last. Pure, but for the clock.

A table says in its comment when its agent began. A pod with NET_ADMIN can write one, too; so its word alone is not
enough: it must not be ahead of time, and there must be another agent's pod on the node.
"""

import time

from apisnoop_tproxy.pod_facts import PodFacts
from apisnoop_tproxy.rules import began, is_newer

SKEW_SECONDS = 60.0
"""By how much the node's clock may have been put back."""
_AGENT = "agent"


class Succession:
    """Of one agent."""

    def __init__(self, generation: str, namespace: str = "", pod: str = "") -> None:
        """`generation` is its own, `namespace` and `pod` its pod's; without these, every agent has to be believed."""
        self.generation = generation
        self._namespace, self._pod = namespace, pod
        self._others: set[str] = set()

    def see(self, pod: PodFacts) -> None:
        """Take what is known of a pod of this node."""
        ours = (pod.component, pod.namespace) == (_AGENT, self._namespace)
        if ours and pod.name != self._pod and not pod.ended:
            self._others.add(pod.uid)
        else:
            self._others.discard(pod.uid)

    def forget(self, pod_uid: str) -> None:
        """Hear that a pod has gone."""
        self._others.discard(pod_uid)

    @property
    def alone(self) -> bool:
        """Whether no other agent can be on this node."""
        return bool(self._namespace) and not self._others

    def yields(self, generation: str) -> bool:
        """Tell whether a table of this generation is that of an agent that came after us, which has the pod."""
        newer = is_newer(generation, self.generation) and began(generation) <= time.time() + SKEW_SECONDS
        return newer and not self.alone
