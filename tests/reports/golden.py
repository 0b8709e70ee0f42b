"""Golden files: what a renderer wrote when a person last looked at it. `--regenerate` writes them anew."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "golden"


def compare(request: pytest.FixtureRequest, name: str, text: str) -> None:
    """Hold text against the golden file of this name, byte for byte."""
    path = FOLDER / name
    if request.config.getoption("--regenerate"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    assert text == path.read_bytes().decode(), f"{path.name} differs: look at it, then pytest --regenerate"
