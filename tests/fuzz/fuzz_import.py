"""Fuzzing the import with coverage guidance: `python tests/fuzz/fuzz_import.py -max_total_time=60`.

Options are libFuzzer's; a failing input is written to the current folder, and given as an argument it is run again.
Inputs are made of parts of real recordings and anything else. An input may be refused in one line, must never raise
anything else, and must count the same whether it was there whole or has grown.
"""

import gzip
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import atheris
import zstandard

sys.path.insert(0, str(Path(__file__).parents[2]))

with atheris.instrument_imports(include=["apisnoop.calls", "apisnoop.store.importing"]):
    from apisnoop.calls import reader
    from apisnoop.calls.inputs.errors import InputError
    from apisnoop.store.importing.importer import Importer, Settings
    from apisnoop.store.store import Store
    from tests.calls.sample import CATALOGUE, line

patch.object(reader, "entry_points", return_value=()).start()  # components fuzz their own readers
TOTAL = "SELECT coalesce(sum(count), 0) FROM tallies"
PARTS = [
    line(1),
    line(2, stage="RequestReceived"),
    line(3)[:-1],
    line(4)[:70],
    b'{"log":{"version":"1.2","entries":[',
    b'{"startedDateTime":"2026-06-01T09:00:00Z","time":1,"request":{"method":"GET","url":"http://k/api/v1/pods"}},',
    b'{"kind":"EventList","items":[\n',
    b'{"records":[{"properties":{"log":"',
    b'{"message":"{\\"stage\\":\\"Panic\\"}"}\n',
    b'{"protoPayload":{"methodName":"io.k8s.core.v1.pods.get","resourceName":"core/v1/pods"},"timestamp":"',
    b"2026-06-01T09:00:00Z stdout F ",
    b"]}",
    b"\n",
    b",",
    b'"',
]
WRAPPINGS = [bytes, gzip.compress, zstandard.compress]


def content_of(provider: atheris.FuzzedDataProvider) -> bytes:
    """Put an input together."""
    parts: list[bytes] = []
    while provider.remaining_bytes() and len(parts) < 40:
        known = provider.ConsumeIntInRange(0, 2 * len(PARTS))
        parts.append(PARTS[known] if known < len(PARTS) else provider.ConsumeBytes(provider.ConsumeIntInRange(0, 60)))
    return b"".join(parts)


def calls_in(path: Path, contents: list[bytes], kind: str) -> int:
    """Import a file that has these contents one after another, and give the number of calls it brought."""
    with Store.open(":memory:") as store:
        for content in contents:
            path.write_bytes(content)
            try:
                Importer(store, CATALOGUE, Settings(format=kind)).run(str(path))
            except InputError as error:
                assert "\n" not in str(error), "one line"  # noqa: PT017
        return int(store.connection.execute(TOTAL).fetchone()[0])


def fuzz(data: bytes) -> None:
    """Import one input: whole, and as one that grows by lines."""
    provider = atheris.FuzzedDataProvider(data)
    kind = provider.PickValueInList(["auto", "audit", "audit", "har"])
    wrap = provider.PickValueInList(WRAPPINGS)
    damage = provider.ConsumeIntInRange(0, 400)
    content = content_of(provider)
    with tempfile.TemporaryDirectory(prefix="apisnoop-fuzz-") as folder:
        path = Path(folder, "input")
        if wrap is not bytes:
            calls_in(path, [wrap(content)[:damage]], kind)
        whole = calls_in(path, [wrap(content)], kind)
        ends = [place + 1 for place, byte in enumerate(content) if byte == ord("\n")]
        if kind == "audit" and ends:
            growing = calls_in(path, [wrap(content[: ends[damage % len(ends)]]), wrap(content)], kind)
            assert growing == whole, f"{growing} calls of the growing input, {whole} of the whole one"


if __name__ == "__main__":
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()
