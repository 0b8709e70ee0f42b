"""Least-privilege roles as manifests: plain dictionaries, and YAML that `kubectl apply` takes.

What the roles cannot say (where they come from, what was left out) stands above each subject as comments.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from apisnoop.coverage.access import AccessReport, Subject, SubjectAccess
from apisnoop.coverage.roles import Role, Rule
from apisnoop.reports.origin import empty_explained, origin
from apisnoop.reports.wording import clean

if TYPE_CHECKING:
    from yaml import SafeDumper

type Manifest = dict[str, Any]

API = "rbac.authorization.k8s.io"
LABELS = {"app.kubernetes.io/managed-by": "apisnoop"}
"""So that `kubectl delete clusterroles,roles,... -A -l app.kubernetes.io/managed-by=apisnoop` takes all away."""


def render_yaml(report: AccessReport) -> str:
    """Render the roles and bindings of every subject as one YAML stream."""
    import yaml  # noqa: PLC0415 - only this format needs it

    said_of_origin = [f"{heading}: {line}" for heading, lines in origin(report.provenance) for line in lines]
    if report.subjects:
        parts = [_comments([*said_of_origin, *_left_out(report)])]
    else:
        parts = [_comments([_why_empty(report), *said_of_origin])]
    for access in report.subjects:
        said = [f"{access.subject.kind} {'/'.join(filter(None, access.subject[1:]))}", *access.notes]
        parts += ["\n", _comments(said)]
        parts += (
            "---\n" + yaml.dump(manifest, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=120)
            for manifest in manifests_of(access)
        )
    return "".join(parts)


def _left_out(report: AccessReport) -> Iterator[str]:
    """Say whose calls no role is written for."""
    if report.left_out:
        yield f"left out, being no service accounts: {', '.join(report.left_out)} (--users takes them in)"
    if report.has_unknown:
        yield "left out: callers that no source told of, for whom no role can be written"


def _why_empty(report: AccessReport) -> str:
    """Say why there is not one subject to write a role for, and what to do."""
    if report.provenance.is_empty:
        return empty_explained(report.provenance)
    if report.left_out:
        users = ", ".join(report.left_out)
        return f"No service account made any of the recorded calls, only users: {users}. --users writes their roles."
    if report.has_unknown:
        return "No source told who made the recorded calls, so there is no role to write."
    return "No service account made any of the recorded calls: there is no role to write."


def manifests_of(access: SubjectAccess) -> Iterator[Manifest]:
    """Give each role of a subject and its binding, cluster-wide ones first."""
    name = role_name(access.subject)
    for role in access.roles:
        kind = "Role" if role.namespace else "ClusterRole"
        yield _manifest(kind, name, role) | {"rules": [_rule(rule) for rule in role.rules]}
        yield _manifest(f"{kind}Binding", name, role) | {
            "roleRef": {"apiGroup": API, "kind": kind, "name": name},
            "subjects": [_subject(access.subject)],
        }


def role_name(subject: Subject) -> str:
    """Name the roles of a subject; a path segment can hold neither slash nor percent sign."""
    words = ("apisnoop", *(("user",) if subject.kind == "User" else (subject.namespace,)), subject.name)
    return ":".join(re.sub("[/%]", "-", word) for word in words)


def _manifest(kind: str, name: str, role: Role) -> Manifest:
    place = {"namespace": role.namespace} if role.namespace else {}
    return {"apiVersion": f"{API}/v1", "kind": kind, "metadata": {"name": name, **place, "labels": dict(LABELS)}}


def _rule(rule: Rule) -> Manifest:
    if rule.paths:
        return {"nonResourceURLs": list(rule.paths), "verbs": list(rule.verbs)}
    names = {"resourceNames": list(rule.names)} if rule.names else {}
    return {"apiGroups": [rule.group], "resources": list(rule.resources), **names, "verbs": list(rule.verbs)}


def _subject(subject: Subject) -> Manifest:
    if subject.kind == "ServiceAccount":
        return {"kind": subject.kind, "name": subject.name, "namespace": subject.namespace}
    return {"apiGroup": API, "kind": subject.kind, "name": subject.name}


def _comments(lines: list[str]) -> str:
    return "".join(f"# {clean(line)}\n" for line in lines)


def _dumper() -> type["SafeDumper"]:
    """Give a dumper that writes lists of words on one line, as people do, and all other lists item by item."""
    import yaml  # noqa: PLC0415 - see render_yaml

    class Dumper(yaml.SafeDumper):
        pass

    def represent_list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.SequenceNode:
        flow = all(isinstance(item, str) for item in items)
        return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flow)

    Dumper.add_representer(list, represent_list)
    return Dumper
