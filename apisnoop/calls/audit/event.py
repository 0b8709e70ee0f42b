"""The parts of an audit event that are kept; the decoder skips the rest, bodies above all, without building anything.

Source: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/#audit-k8s-io-v1-Event. `Record` also has the
fields in which events come wrapped, so that one decoder reads every line; `envelopes` opens those.
"""

from datetime import datetime
from typing import Annotated

import msgspec

from apisnoop.decoding import decoder_of

Time = Annotated[datetime, msgspec.Meta(tz=True)]

RECEIVED = "RequestReceived"
STARTED = "ResponseStarted"
COMPLETE = "ResponseComplete"
PANIC = "Panic"
NOTHING = msgspec.Raw()
NULL = msgspec.Raw(b"null")

STAGES = frozenset({RECEIVED, STARTED, COMPLETE, PANIC})


class Extra(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "pod": "authentication.kubernetes.io/pod-name",
        "pod_uid": "authentication.kubernetes.io/pod-uid",
        "node": "authentication.kubernetes.io/node-name",
    },
):
    """Claims of a bound token. Its credential-id is left out: another one every hour, and nobody's business."""

    pod: tuple[str, ...] = ()
    pod_uid: tuple[str, ...] = ()
    node: tuple[str, ...] = ()


class User(msgspec.Struct, frozen=True, gc=False):
    """An authenticated or impersonated user."""

    username: str = ""
    extra: Extra | None = None


class ResponseStatus(msgspec.Struct, frozen=True, gc=False):
    """The outcome."""

    code: int = 0


class Record(msgspec.Struct, gc=False, rename={"at_message": "@message"}):
    """One JSON object of a log: an event when `stage` is set, else perhaps an envelope."""

    auditID: str = ""  # noqa: N815 - the API's own names
    stage: str = ""
    requestURI: str = ""  # noqa: N815
    verb: str = ""
    user: msgspec.Raw = NOTHING
    """A `User`, left as it is: callers repeat, and knowing one again by its bytes is cheaper than decoding it."""
    impersonatedUser: msgspec.Raw = NOTHING  # noqa: N815
    userAgent: str = ""  # noqa: N815
    responseStatus: ResponseStatus | None = None  # noqa: N815
    requestReceivedTimestamp: Time | None = None  # noqa: N815
    stageTimestamp: Time | None = None  # noqa: N815
    timestamp: msgspec.Raw = NOTHING
    """When, in events before v1beta1, in GKE's entries and, as a number, in CloudWatch's."""
    items: tuple[msgspec.Raw, ...] = ()
    """EventList."""
    records: tuple[msgspec.Raw, ...] = ()
    """AKS, from an event hub."""
    logEvents: tuple[msgspec.Raw, ...] = ()  # noqa: N815
    """EKS, from a CloudWatch subscription."""
    events: tuple[msgspec.Raw, ...] = ()
    """EKS, from the CloudWatch API."""
    message: msgspec.Raw = NOTHING
    at_message: msgspec.Raw = NOTHING
    """EKS, from CloudWatch Logs Insights."""
    log: msgspec.Raw = NOTHING
    """A container runtime's or log collector's wrapping."""
    properties: msgspec.Raw = NOTHING
    """AKS: {"log": ...}."""
    protoPayload: msgspec.Raw = NOTHING  # noqa: N815
    """GKE."""
    operation: msgspec.Raw = NOTHING
    """GKE: {"id": ..., "first": ..., "last": ...}."""


decoder = decoder_of(Record)
user_decoder = decoder_of(User)
