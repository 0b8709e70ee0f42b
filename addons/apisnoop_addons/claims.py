"""Read who a Kubernetes service account token says its bearer is. Nothing is verified here: the API server does that.

Of the token only its claims are looked at, and of those only names (https://kubernetes.io/docs/reference/access-authn-authz/
service-accounts-admin/#schema-for-service-account-private-claims).
"""

import binascii
from base64 import urlsafe_b64decode

import msgspec

from apisnoop.calls.identity import SERVICE_ACCOUNT
from apisnoop.decoding import decoder_of

LONGEST = 16 * 1024
"""Characters of an Authorization header that are looked at; the API server's tokens have about 1,000."""


class Bound(msgspec.Struct, frozen=True):
    """An object that a token is bound to."""

    name: str = ""
    uid: str = ""


class Private(msgspec.Struct, frozen=True):
    """The claims below kubernetes.io."""

    pod: Bound | None = None
    node: Bound | None = None


class _Payload(msgspec.Struct, frozen=True):
    sub: str = ""
    private: Private = msgspec.field(default=Private(), name="kubernetes.io")


class Claims(msgspec.Struct, frozen=True):
    """Who a token says its bearer is. Empty strings: it does not say."""

    user: str = ""
    pod: str = ""
    pod_uid: str = ""
    node: str = ""


NO_CLAIMS = Claims()
_decoder = decoder_of(_Payload)


def parse_claims(authorization: str) -> Claims:
    """Read the claims in the value of an Authorization header; `NO_CLAIMS` if that is no service account's token."""
    scheme, _, token = authorization[:LONGEST].partition(" ")
    parts = token.strip().split(".")
    if scheme.lower() != "bearer" or len(parts) != 3:
        return NO_CLAIMS
    try:
        payload = _decoder.decode(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        return NO_CLAIMS
    if not payload.sub.startswith(SERVICE_ACCOUNT):
        return NO_CLAIMS
    pod, node = payload.private.pod or Bound(), payload.private.node or Bound()
    return Claims(payload.sub, pod.name, pod.uid, node.name)
