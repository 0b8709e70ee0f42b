"""Writing the catalogues inside the package."""

import json
from pathlib import Path

import pytest

from apisnoop.operations.build import main
from apisnoop.operations.shipped import decode_shipped


@pytest.fixture
def documents(tmp_path: Path) -> list[str]:
    """Arguments for two releases, the newer with one operation more."""
    arguments = []
    for release, names in {"1.40": ["a"], "1.42": ["a", "b"]}.items():
        path = tmp_path / f"{release}.json"
        paths = {f"/api/v1/{name}": {"get": {"operationId": name, "description": "words"}} for name in names}
        path.write_text(json.dumps({"swagger": "2.0", "info": {}, "paths": {**paths, "/bad": 1}}))
        arguments.append(f"{release}={path}")
    return arguments


def test_documents_become_the_file(documents: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The totals are printed, and what was left out is said."""
    output = tmp_path / "shipped.json"
    assert main([*documents, "--output", str(output)]) == 0
    written = decode_shipped(output.read_bytes())
    assert [len(written.operations(release)) for release in ("1.40", "1.42")] == [1, 2]
    assert b"words" not in output.read_bytes()
    said = capsys.readouterr()
    assert said.out == "1.40  1 operations, 1 not deprecated\n1.42  2 operations, 2 not deprecated\n"
    assert "1.40: /bad cannot be read" in said.err


def test_what_is_in_the_package_stays(documents: list[str], tmp_path: Path) -> None:
    """Adding a release needs only its own document; --only starts anew."""
    output = tmp_path / "shipped.json"
    main([documents[0], "--output", str(output)])
    main([documents[1], "--output", str(output)])
    assert decode_shipped(output.read_bytes()).releases == ["1.40", "1.42"]
    main([documents[1], "--output", str(output), "--only"])
    assert decode_shipped(output.read_bytes()).releases == ["1.42"]


@pytest.mark.parametrize("argument", ["swagger.json", "new=swagger.json", "1.42=missing.json", "1.42"])
def test_a_bad_argument_is_refused(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each names its release and a document that is there."""
    with pytest.raises(SystemExit) as caught:
        main([argument])
    assert caught.value.code == 2
    assert argument.partition("=")[0] in capsys.readouterr().err
