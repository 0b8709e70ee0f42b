"""The fuzz targets start, run for a moment and find nothing; longer runs are for people and nightly jobs."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("atheris")

SECONDS = 5


@pytest.mark.parametrize("target", sorted(Path(__file__).parent.glob("fuzz_*.py")), ids=lambda path: path.stem)
def test_a_fuzz_target_finds_nothing(target: Path, tmp_path: Path) -> None:
    """A failing input would be left in the folder and named on stderr."""
    command = [sys.executable, str(target), f"-max_total_time={SECONDS}", "-seed=1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done " in done.stderr
