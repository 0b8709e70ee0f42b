"""Inputs made for a test, and importing one."""

import json

from apisnoop.store.importing.importer import Importer, Settings
from apisnoop.store.importing.pace import Pace
from tests.calls.sample import CATALOGUE

AT_ONCE = Pace(seconds=0.0)
"""Commits after every block."""


def run(store, path, **settings):
    return Importer(store, CATALOGUE, Settings(**settings)).run(path)


def har(*numbers):
    entries = [
        {
            "startedDateTime": f"2026-06-01T09:00:{number:02d}Z",
            "time": 3,
            "request": {"method": "GET", "url": f"https://k/api/v1/pods?n={number}", "headers": []},
            "response": {"status": 200, "headers": [{"name": "Audit-Id", "value": f"id-{number}"}]},
        }
        for number in numbers
    ]
    return json.dumps({"log": {"version": "1.2", "creator": {"name": "t"}, "entries": entries}}, indent=1).encode()
