"""The fields that the lowest supported Kubernetes has, by its own OpenAPI document, for the kinds that the chart makes.

`fields-1.30.json` is what `known_fields` makes of it. A server refuses a field it does not know or, worse, drops it.
"""

import json
from pathlib import Path

_KNOWN = json.loads((Path(__file__).parent / "fields-1.30.json").read_text())
_PLAIN = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "quantity": (str, int),
}


def is_known(thing):
    """Tell whether the kind belongs to Kubernetes itself."""
    return f"{thing['apiVersion']}/{thing['kind']}" in _KNOWN["kinds"]


def strangers(thing):
    """List the paths in an object that are no field, or of another type than the field's."""
    return list(_strangers(thing, _KNOWN["kinds"][f"{thing['apiVersion']}/{thing['kind']}"], thing["kind"]))


def _strangers(value, kind, path):
    if isinstance(kind, list):
        inner = enumerate(value) if isinstance(value, list) else [(None, value)]
        for at, item in inner:
            yield from [f"{path} is no list"] if at is None else _strangers(item, kind[0], f"{path}[{at}]")
    elif isinstance(kind, dict) or isinstance(_KNOWN["types"].get(kind), dict):
        yield from _in_object(value, kind if isinstance(kind, dict) else _KNOWN["types"][kind], path)
    else:
        plain = _PLAIN.get(_KNOWN["types"].get(kind, kind))
        if plain and (not isinstance(value, plain) or (isinstance(value, bool) and bool not in plain)):
            yield f"{path} is {type(value).__name__}, not {kind}"


def _in_object(value, fields, path):
    if value is None:  # as if it had been left out
        return
    for name, inner in value.items() if isinstance(value, dict) else [("", value)]:
        kind = fields.get(name, fields.get("*"))
        yield from [f"{path}.{name}"] if kind is None else _strangers(inner, kind, f"{path}.{name}")
