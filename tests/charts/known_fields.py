"""`python -m tests.charts.known_fields SWAGGER.JSON`: the fields that a release has in the golden files' kinds.

SWAGGER.JSON is api/openapi-spec/swagger.json of a release of kubernetes/kubernetes. Names and types are kept, no texts.
"""

import json
import sys
from pathlib import Path

import yaml

GOLDEN = Path(__file__).parent / "golden"


def fields_of(document, kinds):
    """Give {"kinds": {apiVersion/kind: type}, "types": {type: {field: type}}} for those kinds that the document has."""
    found, types = {}, {}
    for name, definition in document["definitions"].items():
        for one in definition.get("x-kubernetes-group-version-kind", ()):
            kind = "/".join(filter(None, (one["group"], one["version"], one["kind"])))
            if kind in kinds and name.startswith("io.k8s.api."):
                found[kind] = _add(name, document["definitions"], types)
    return {"kinds": found, "types": types}


def _add(name, definitions, types):
    """Add a type and all it is made of; return its short name."""
    short, definition = name.rpartition(".")[2], definitions[name]
    if short not in types:
        types[short] = "quantity" if short in {"Quantity", "IntOrString"} else definition.get("type", "any")
        if "properties" in definition:
            types[short] = {}  # first, for what holds itself
            fields = sorted(definition["properties"].items())
            types[short].update({field: _type(inner, definitions, types) for field, inner in fields})
    return short


def _type(schema, definitions, types):
    if "$ref" in schema:
        return _add(schema["$ref"].rpartition("/")[2], definitions, types)
    if schema.get("type") == "array":
        return [_type(schema["items"], definitions, types)]
    if schema.get("type") == "object" and "additionalProperties" in schema:
        return {"*": _type(schema["additionalProperties"], definitions, types)}
    return schema.get("type", "any")


def main(path):
    """Print the fields, a type a line."""
    things = [one for file in GOLDEN.glob("*.yaml") for one in yaml.safe_load_all(file.read_text()) if one]
    kinds = {f"{one['apiVersion']}/{one['kind']}" for one in things}
    known = fields_of(json.loads(Path(path).read_text()), kinds)
    lines = [
        f"{json.dumps(name)}: {json.dumps(known['types'][name], separators=(',', ':'))}"
        for name in sorted(known["types"])
    ]
    print(f'{{"kinds": {json.dumps(known["kinds"], sort_keys=True)},\n"types": {{\n' + ",\n".join(lines) + "\n}}")


if __name__ == "__main__":
    main(*sys.argv[1:])
