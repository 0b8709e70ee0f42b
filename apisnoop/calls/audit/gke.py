"""GKE: an audit event as Google Cloud Logging keeps it, turned back into one of Kubernetes.

Google keeps the resource's path without group prefix and query, a method name that ends in the verb, and a gRPC code:
the exact status, the duration and the difference between apply and patch are lost there.
Source: https://cloud.google.com/kubernetes-engine/docs/how-to/audit-logging and
https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog.
"""

import msgspec

from apisnoop.calls.audit.event import COMPLETE, STARTED, Record, ResponseStatus, Time, User
from apisnoop.decoding import decoder_of

SERVICE = "k8s.io"
VERBS = frozenset({"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "proxy"})
COLLECTION_VERBS = frozenset({"list", "watch", "deletecollection"})

# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto, each with its HTTP mapping
HTTP_STATUS = {
    0: 200, 1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501,
    13: 500, 14: 503, 15: 500, 16: 401,
}  # fmt: skip


class AuthenticationInfo(msgspec.Struct, rename="camel"):
    """Who."""

    principal_email: str = ""


class RequestMetadata(msgspec.Struct, rename="camel"):
    """With what."""

    caller_supplied_user_agent: str = ""


class AuditLog(msgspec.Struct, rename="camel"):
    """The protoPayload of an entry."""

    service_name: str = ""
    method_name: str = ""
    resource_name: str = ""
    authentication_info: AuthenticationInfo = msgspec.field(default_factory=AuthenticationInfo)
    request_metadata: RequestMetadata = msgspec.field(default_factory=RequestMetadata)
    status: ResponseStatus = ResponseStatus()


class EntryOperation(msgspec.Struct):
    """Which of several entries about one request this is; a short request has one that is first and last."""

    id: str = ""
    first: bool = False
    last: bool = False


payload_decoder = decoder_of(AuditLog)
operation_decoder = decoder_of(EntryOperation, strict=False)
time_decoder = decoder_of(Time)


def event_of(entry: Record) -> Record | None:
    """Turn an entry with a protoPayload into an event; None if it is not about the Kubernetes API.

    Raises msgspec.DecodeError where the entry does not look as documented.
    """
    payload = payload_decoder.decode(entry.protoPayload or b"{}")
    verb = payload.method_name.rpartition(".")[2]
    if payload.service_name not in {SERVICE, ""} or not payload.method_name.startswith("io.") or verb not in VERBS:
        return None
    operation = operation_decoder.decode(entry.operation or b"{}")
    return Record(
        auditID=operation.id,
        stage=STARTED if operation.first and not operation.last else COMPLETE,
        requestURI=request_uri(payload.resource_name, verb),
        verb=verb,
        user=msgspec.Raw(msgspec.json.encode(User(payload.authentication_info.principal_email))),
        userAgent=payload.request_metadata.caller_supplied_user_agent,
        responseStatus=ResponseStatus(http_status(payload.status.code)),
        requestReceivedTimestamp=time_decoder.decode(entry.timestamp) if entry.timestamp else None,
    )


def request_uri(resource_name: str, verb: str) -> str:
    """Rebuild the URI, e.g. from core/v1/namespaces/shop/pods/web and `get`.

    Google adds the new object's name to `create`, and to verbs on collections the name of a field selector.
    """
    group, *parts = resource_name.strip("/").split("/")
    if len(parts) < 2:
        return f"/{resource_name.strip('/')}"
    version, *place = parts
    scope = place[:2] if place[0] == "namespaces" and len(place) > 2 else []
    resource, *names = place[len(scope) :]
    query = "watch=true" if verb == "watch" else ""
    if names and verb in COLLECTION_VERBS:
        query = "&".join(filter(None, (query, f"fieldSelector=metadata.name%3D{names[0]}")))
        names = []
    elif len(names) == 1 and verb == "create":
        names = []
    root = f"/api/{version}" if group == "core" else f"/apis/{group}/{version}"
    return "/".join((root, *scope, resource, *names)) + (f"?{query}" if query else "")


def http_status(code: int) -> int:
    """Give the HTTP status of a gRPC code; an HTTP status stays what it is."""
    return code if code >= 100 else HTTP_STATUS.get(code, 0)
