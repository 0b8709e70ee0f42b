"""Running Helm, with the chart that comes with this program."""

import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import apisnoop
from apisnoop.causes import cause_of, printable
from apisnoop.errors import ApisnoopError

PACKAGE = Path(apisnoop.__file__).parent
PLACES = (PACKAGE.parent / "charts" / "apisnoop", PACKAGE / "charts" / "apisnoop")
"""Of the chart: in a checkout, else in the installed package."""


def find_chart() -> Path:
    """Give the folder of the chart. Raises ApisnoopError where it was not installed with the program."""
    for place in PLACES:
        if (place / "Chart.yaml").is_file():
            return place
    raise ApisnoopError(
        f"the chart is not in {PLACES[-1]}: install the package apisnoop anew, or give another with --chart"
    )


def find_helm() -> str | None:
    """Give the program's path; None where there is none."""
    return shutil.which("helm")


def demand_helm() -> str:
    """Give the program's path. Raises ApisnoopError naming where to get it."""
    found = find_helm()
    if found is None:
        raise ApisnoopError(
            "helm is not on the PATH: install it (https://helm.sh/docs/intro/install/), or render the chart elsewhere: "
            f"{find_chart()}"
        )
    return found


def connection_options(kubeconfig: Path | None, context: str | None) -> list[str]:
    """Give the options that lead Helm to the same cluster."""
    options = ["--kubeconfig", str(kubeconfig)] if kubeconfig else []
    return [*options, "--kube-context", context] if context else options


def run_helm(arguments: Sequence[str | Path], *, to_stdout: bool = False) -> None:
    """Run Helm. What it says to people goes to standard error, unless it is what was asked for.

    Raises ApisnoopError with the last line that it has said if it fails.
    """
    command = [demand_helm(), *map(str, arguments)]
    out, none = None if to_stdout else 2, subprocess.DEVNULL
    try:
        with subprocess.Popen(
            command, stdin=none, stdout=out, stderr=subprocess.PIPE, text=True, errors="replace"
        ) as run:
            last = _pass_on(run.stderr or ())
    except OSError as error:
        raise ApisnoopError(f"helm cannot be run: {cause_of(error)}") from None
    if run.returncode:
        why = printable(last.removeprefix("Error: ")) or f"it ends with {run.returncode}"
        raise ApisnoopError(f"helm {command[1]} has failed: {why}")
    if last:
        sys.stderr.write(last + "\n")


def _pass_on(lines: Iterable[str]) -> str:
    """Write lines to standard error as they come, but for the last one that says something, which is given back."""
    last = ""
    for line in lines:
        if line.strip():
            if last:
                sys.stderr.write(last + "\n")
            last = line.rstrip()
    return last
