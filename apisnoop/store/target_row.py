"""A target as the store keeps it: flat, and complete without the catalogue it came from."""

import msgspec

from apisnoop.operations.match import Target

OPERATION = "operation"
LONGEST = 512
"""Of any text in a row: longer ones come from callers, not from Kubernetes."""


class TargetRow(msgspec.Struct, frozen=True, gc=False):
    """An operation, or a finding. Strings are empty where there is none."""

    kind: str
    """`operation`, or the value of a `Finding`."""
    operation: str
    """The operation's id."""
    method: str
    path: str
    """Path template."""
    api_group: str
    version: str
    resource: str
    subresource: str
    object_kind: str
    level: str
    deprecated: int
    """0 or 1."""
    scope: str
    reason: str


COLUMNS = TargetRow.__struct_fields__


def row_of(target: Target) -> TargetRow:
    """Give the row of a target."""
    operation = target.operation
    return TargetRow(
        kind=target.finding.value if target.finding else OPERATION,
        operation=operation.id if operation else "",
        method=target.method[:LONGEST],
        path=target.template[:LONGEST],
        api_group=target.group[:LONGEST],
        version=target.version[:LONGEST],
        resource=target.resource[:LONGEST],
        subresource=target.subresource[:LONGEST],
        object_kind=operation.kind if operation else "",
        level=operation.level.value if operation else "",
        deprecated=int(operation.deprecated) if operation else 0,
        scope=operation.scope.value if operation else "",
        reason=target.reason[:LONGEST],
    )
