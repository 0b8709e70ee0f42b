"""How it stands with one pod, in words for people and in codes that programs can count. Pure."""

from enum import StrEnum

import msgspec

from apisnoop_tproxy.wait import ENROLLED, SKIPPED


class Condition(StrEnum):
    """What is so."""

    OFF = "off"
    """Nothing of ours is in it, and nobody wants it."""
    WAITING = "waiting"
    """It is wanted, and something has yet to come."""
    SKIPPED = "skipped"
    """It is wanted, and cannot be."""
    INTERCEPTING = "intercepting"
    """Its new connections are led to the proxy."""
    SHED = "shed"
    """They could be, but the proxy is not well."""
    DRAINING = "draining"
    """New connections are direct; some older ones still go through the proxy."""


class Code(StrEnum):
    """Why, for programs: these are few, whatever the words beside them say."""

    WANTED = "Wanted"
    NOT_WANTED = "NotWanted"
    POD_ENDED = "PodEnded"
    OWN_POD = "OwnPod"
    STATIC_POD = "StaticPod"
    HOST_NETWORK = "HostNetwork"
    SANDBOXED = "SandboxedRuntime"
    NOT_PREPARED = "NotPrepared"
    """Mode init: no init container of ours has written the rule."""
    NOT_ENTERED = "NotEntered"
    PROXY_MISSING = "ProxyMissing"
    PROXY_ILL = "ProxyNotWell"
    PROXY_REFUSED = "ProxyRefused"
    SERVER_UNKNOWN = "ServerUnknown"
    NOT_TRUSTED = "CertificateNotAccepted"
    OVER_LIMIT = "OverLimit"
    RULE_FAILED = "RuleFailed"
    SUPERSEDED = "NewerAgent"
    RULE_CHANGED = "RuleChanged"
    """Somebody else has edited or removed what is ours in the pod."""
    PORT_TAKEN = "PortTaken"
    """Its init container hears somebody else than us."""


INCIDENTS = frozenset({Code.RULE_CHANGED, Code.PORT_TAKEN})
"""What happens and is over: told beside how it stands with the pod."""


class Cause(msgspec.Struct, frozen=True):
    """Why something is so."""

    code: Code
    why: str
    """One line for people."""


class State(msgspec.Struct, frozen=True):
    """How it stands with a pod."""

    name: Condition = Condition.OFF
    cause: Cause = Cause(Code.NOT_WANTED, "")
    since: float = 0.0

    @property
    def why(self) -> str:
        """The cause in words."""
        return self.cause.why

    @property
    def answer(self) -> str:
        """What the pod's init container gets to hear, which waits as long as this is empty."""
        if self.name is Condition.INTERCEPTING or self.cause.code is Code.SUPERSEDED:
            return ENROLLED
        return SKIPPED + self.why if self.since and self.name in {Condition.SKIPPED, Condition.OFF} else ""
