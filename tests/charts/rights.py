"""A service account's rights, as the chart grants them and as a README lists them."""

import re


def granted(things, account):
    """Give the rights of a service account as (namespace, group, resource, name, verb)."""
    rights = set()
    for binding in (one for one in things if one["kind"] in {"RoleBinding", "ClusterRoleBinding"}):
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


def tabled(readme, component):
    """Read the same from the table in a component's README."""
    rows = re.findall(r"^\| (own|all|default) \|(.*)\|$", readme.read_text(), re.MULTILINE)
    rights = set()
    for place, rest in rows:
        group, resources, names, verbs = ([part.strip() for part in cell.split(",")] for cell in rest.split("|")[:4])
        rights |= {
            (place, group[0], resource, name, verb) for resource in resources for name in names for verb in verbs
        }
    assert rights, f"{component} has no table"
    return rights
