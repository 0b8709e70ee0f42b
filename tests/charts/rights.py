"""A service account's rights, as the chart grants them and as a README lists them."""

import re

_FIRST = "namespace"
"""The heading of the first column of such a table."""
_CONDITION = re.compile(r"`([\w.]+)(!?=)([\w-]+)`")


def granted(things, account):
    """Give the rights of a service account as (namespace, group, resource, name, verb)."""
    rights = set()
    for binding in bindings(things):
        if binding["subjects"][0]["name"] != account:
            continue
        place = binding["metadata"].get("namespace", "all").replace("apisnoop", "own")
        role = next(
            one
            for one in things
            if one["kind"] == binding["roleRef"]["kind"]
            and one["metadata"]["name"] == binding["roleRef"]["name"]
            and one["metadata"].get("namespace") == binding["metadata"].get("namespace")
        )
        for rule in role["rules"]:
            rights |= {
                (place, group, resource, name, verb)
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for name in rule.get("resourceNames", [""])
                for verb in rule["verbs"]
            }
    return rights


def bindings(things):
    """Give what binds accounts to roles."""
    return [one for one in things if one["kind"] in {"RoleBinding", "ClusterRoleBinding"}]


def tabled(readme, settings):
    """Read the same from the table in a README, for an installation with these settings, all values as text.

    A row with something in the column `when` counts if all of it holds, like `interception.mode=init`.
    """
    rights = set()
    for row in _rows(readme.read_text()):
        conditions = _CONDITION.findall(row.get("when", ""))
        assert len(conditions) == row.get("when", "").count("`") / 2, f"{readme}: {row['when']}"
        if all((settings[name] == value) is (sign == "=") for name, sign, value in conditions):
            place, group = row["namespace"], row["API group"]
            resources, names, verbs = (row[part].split(", ") for part in ("resource", "names", "verbs"))
            rights |= {
                (place, group, resource, name, verb) for resource in resources for name in names for verb in verbs
            }
    return rights


def _rows(text):
    """Give the rows of the one table of rights in a text, by the names of the columns."""
    lines = text.splitlines()
    (start,) = (at for at, line in enumerate(lines) if line.startswith(f"| {_FIRST} |"))
    headings = _cells(lines[start])
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        yield dict(zip(headings, _cells(line), strict=True))


def _cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]
