"""What the wheel holds and needs."""

import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PURE = ["operations", "calls", "coverage", "reports"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as a release would, from the working tree, with the locked build backend."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_exactly_the_expected_top_level_names(wheel):
    """A stray file in a component's folder would become a package of every user."""
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {
        "apisnoop",
        "apisnoop_addons",
        "apisnoop_certs",
        "apisnoop_tproxy",
        "apisnoop_webhook",
    }
    assert len(names) == 6


def test_the_wheel_carries_the_data_the_program_reads(wheel):
    """Catalogues, the report's schema, its chart library with licence, and the type markers are inside."""
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in [f"apisnoop{part}/py.typed" for part in ("", "_addons", "_certs", "_tproxy", "_webhook")]:
        assert wanted in names
    outside = {str(path.relative_to(ROOT)) for path in (ROOT / "apisnoop").rglob("*") if path.is_file()}
    missing = {path for path in outside if "__pycache__" not in path} - set(names)
    assert missing == set()


def test_the_wheel_carries_the_whole_chart(wheel):
    """What installs the chart needs no other download; hidden files such as .helmignore are part of it."""
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("apisnoop/charts/")}
    chart = ROOT / "charts"
    assert inside == {f"apisnoop/charts/{path.relative_to(chart)}" for path in chart.rglob("*") if path.is_file()}


def test_the_installed_wheel_runs_without_the_dev_dependencies(wheel, tmp_path):
    """In an environment of the core's locked requirements alone, every core verb's --help and a real answer work."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env/bin/python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--require-hashes", "-r", ROOT / "requirements/core.txt"], check=True, stdin=subprocess.DEVNULL
    )
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True, stdin=subprocess.DEVNULL)
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for script in [name for name, target in scripts.items() if target.startswith("apisnoop.")]:
        answer = subprocess.run(
            [tmp_path / "env/bin" / script, "--help"], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        assert answer.stdout
        assert answer.stderr == ""
    explain = [tmp_path / "env/bin/apisnoop", "explain", "GET", "/api/v1/namespaces/shop/pods?watch=1"]
    assert "watch" in subprocess.run(explain, capture_output=True, text=True, check=True, cwd=tmp_path).stdout


@pytest.mark.parametrize("package", PURE)
def test_the_pure_packages_load_neither_mitmproxy_nor_kubernetes(package):
    """Importing every module of a pure package leaves the heavy and privileged libraries unloaded."""
    program = (
        "import importlib, pkgutil, sys, apisnoop.%s as package\n"
        "[importlib.import_module(m.name) for m in pkgutil.walk_packages(package.__path__, package.__name__ + '.')]\n"
        "sys.exit(','.join({'mitmproxy', 'pyroute2', 'kubernetes'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", program % package], check=True)
