"""Access: the least roles of every service account in a recording, with what must be said beside them."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain
from time import time
from typing import NamedTuple

from apisnoop.coverage.provenance import Provenance
from apisnoop.coverage.rights import Needs, Right, names_from, names_of_open, needs_of, with_open
from apisnoop.coverage.roles import Role, is_given_to_everyone, least_roles
from apisnoop.coverage.sources import origin_of
from apisnoop.store import queries
from apisnoop.store.store import Store
from apisnoop.store.window import Window

# What RBAC asks for beyond the verb of the request, which no recording of requests shows.
# https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
ESCALATION = {
    ("rbac.authorization.k8s.io", "roles"): "escalate, or every right that it puts into the role",
    ("rbac.authorization.k8s.io", "clusterroles"): "escalate, or every right that it puts into the role",
    ("rbac.authorization.k8s.io", "rolebindings"): "bind, or every right of the role it binds",
    ("rbac.authorization.k8s.io", "clusterrolebindings"): "bind, or every right of the role it binds",
    ("certificates.k8s.io", "certificatesigningrequests/approval"): "approve on the signer",
    ("certificates.k8s.io", "certificatesigningrequests/status"): "sign on the signer",
}
WRITES = frozenset({"create", "update", "patch"})


class Subject(NamedTuple):
    """Whom a binding names."""

    kind: str
    """ServiceAccount or User."""
    namespace: str
    """Empty for a user."""
    name: str


@dataclass(frozen=True, slots=True)
class SubjectAccess:
    """One subject, the least roles for what it did, and what the roles do not tell."""

    subject: Subject
    roles: tuple[Role, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccessReport:
    """The least roles of every subject, in the order of their names."""

    provenance: Provenance
    subjects: tuple[SubjectAccess, ...]
    left_out: tuple[str, ...]
    """Users that are no service accounts, made calls and were not asked for."""
    has_unknown: bool
    """Whether no source told who made some of the calls."""
    seen: tuple[str, ...]
    """Every service account (namespace/name) that made calls, asked for or not."""


def access_of(
    store: Store,
    *,
    window: Window | None = None,
    only: Collection[str] = (),
    users: bool = False,
    resource_names: bool = False,
    defaults: bool = False,
    now: float | None = None,
) -> AccessReport:
    """Give the least roles that allow what a store holds.

    `only` names service accounts (namespace/name); `users` takes other users too; `resource_names` narrows rights to
    the objects that were named; `defaults` repeats what every service account may do anyway.
    """
    connection = store.connection
    still_open = queries.unfinished_accesses(connection, window)
    accesses = with_open(queries.accesses(connection, window), still_open)
    active = {access.caller for access in accesses}
    callers = [caller for caller in queries.callers(connection) if caller.id in active]
    subjects, left_out, has_unknown = _subjects(callers, only, users=users)
    named = chain(queries.object_names(connection, window), names_of_open(still_open))
    names = names_from(named, whole=_is_open(window)) if resource_names else None
    targets = {row.id: row for row in queries.targets(connection)}
    needs = needs_of(accesses, targets, subjects, names)
    made = time() if now is None else now
    return AccessReport(
        origin_of(store, None, window, queries.uses(connection, window), made),
        tuple(_subject(subject, needs[subject], defaults=defaults) for subject in sorted(needs)),
        left_out,
        has_unknown,
        tuple(sorted({caller.service_account for caller in callers if caller.service_account})),
    )


def _is_open(window: Window | None) -> bool:
    return window is None or window.is_open


def _subjects(
    callers: Collection[queries.CallerRow], only: Collection[str], *, users: bool
) -> tuple[dict[int, Subject], tuple[str, ...], bool]:
    """Tell which subject each caller is, which users are left out, and whether there are callers nobody knows."""
    subjects: dict[int, Subject] = {}
    left_out = set()
    for caller in callers:
        if caller.service_account:
            if not only or caller.service_account in only:
                namespace, _, name = caller.service_account.partition("/")
                subjects[caller.id] = Subject("ServiceAccount", namespace, name)
        elif users and caller.user:
            subjects[caller.id] = Subject("User", "", caller.user)
        else:
            left_out.add(caller.user)
    return subjects, tuple(sorted(left_out - {""})), "" in left_out


def _subject(subject: Subject, needs: Needs, *, defaults: bool) -> SubjectAccess:
    rights = {right for right in needs.rights if defaults or not is_given_to_everyone(right)}
    notes = _notes(needs, len(needs.rights) - len(rights))
    if not rights:
        notes.append(
            "it needs no role beyond those that everybody has"
            if needs.rights
            else "nothing that it did can be allowed by a role: there is none to write"
        )
    return SubjectAccess(subject, least_roles(rights), tuple(notes))


def _notes(needs: Needs, given: int) -> list[str]:
    notes = []
    if needs.refused:
        refused = f"{needs.refused} of its" if needs.refused < needs.calls else "all its"
        notes.append(f"{refused} calls were refused (401, 403) and are not allowed here either")
    if given:
        notes.append("discovery and reviews of itself are left out: the default roles allow them to everybody")
    if needs.unknown_namespaces:
        notes.append("it used more namespaces than the store tells apart: what it did there is allowed in all of them")
    if needs.absent:
        which = ", ".join(sorted(needs.absent))
        notes.append(f"nothing shows that these namespaces exist, so no role is written in them: {which}")
    if needs.without_verb:
        notes.append(f"{needs.without_verb} of its calls have no verb (OPTIONS): no rule can allow them")
    if needs.senseless:
        notes.append(f"{needs.senseless} of its calls went to paths that do not exist or cannot be named: not allowed")
    return notes + sorted({note for right in needs.rights if (note := _escalation(right))})


def _escalation(right: Right) -> str:
    more = ESCALATION.get((right.group, right.resource)) if right.verb in WRITES else None
    return f"to {right.verb} {right.resource} it may also need {more}: a recording cannot tell" if more else ""
