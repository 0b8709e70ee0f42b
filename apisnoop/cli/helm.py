"""Running Helm, with the chart that comes with this program."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apisnoop
from apisnoop.causes import cause_of, printable
from apisnoop.errors import ApisnoopError

PACKAGE = Path(apisnoop.__file__).parent
REFUSED_VALUE = "- "
"""How the last line begins that Helm says of values that do not fit the chart's schema: a list of them."""
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


class _FailedError(ApisnoopError):
    """Helm ended with an error; `last` is the last line that it said."""

    def __init__(self, message: str, last: str) -> None:
        super().__init__(message)
        self.last = last


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be installed by Helm, and where."""

    release: str
    namespace: str
    chart: Path
    values: tuple[str, ...]
    """Helm's own options."""
    connection: tuple[str, ...]

    def show(self, version: str) -> None:
        """Write to standard output what would be installed on a server of this version. Raises ApisnoopError."""
        # Helm would take the newest Kubernetes that it knows, or, depending on how it was built, a very old one.
        # It looks into the cluster as an installation does.
        options = [f"--kube-version={version}", "--dry-run=server", *self._options]
        with self._values_explained():
            run_helm(["template", self.release, self.chart, *options], to_stdout=True)

    def render(self) -> str:
        """Give what `install` would make, values of an earlier install included. Raises ApisnoopError."""
        with self._values_explained():
            return output_of_helm([*self._upgrade, "--dry-run=server"])

    def install(self) -> None:
        """Install it, or bring it up to date. Raises ApisnoopError."""
        with self._values_explained():
            run_helm(self._upgrade)

    @contextmanager
    def _values_explained(self) -> Iterator[None]:
        """Say where values are described if Helm refuses one: its own words name it, and nothing else."""
        try:
            yield
        except _FailedError as error:
            if not error.last.startswith(REFUSED_VALUE):
                raise
            chart = shlex.quote(str(self.chart))
            raise ApisnoopError(f"{error}; the chart's values and what they mean: helm show values {chart}") from None

    @property
    def _upgrade(self) -> list[str | Path]:
        return ["upgrade", "--install", self.release, self.chart, "--reset-then-reuse-values", *self._options]

    @property
    def _options(self) -> list[str]:
        return ["--namespace", self.namespace, *self.connection, *self.values]


def output_of_helm(arguments: Sequence[str | Path]) -> str:
    """Run Helm and give what it writes. Raises ApisnoopError with the last line that it has said if it fails."""
    command = [demand_helm(), *map(str, arguments)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise _cannot_run(error) from None
    if done.returncode:
        raise _failed(command, _pass_on(done.stderr.splitlines()), done.returncode)
    return done.stdout


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
        raise _cannot_run(error) from None
    if run.returncode:
        raise _failed(command, last, run.returncode)
    if last:
        sys.stderr.write(last + "\n")


def _cannot_run(error: OSError) -> ApisnoopError:
    return ApisnoopError(f"helm cannot be run: {cause_of(error)}")


def _failed(command: Sequence[str], last: str, code: int) -> _FailedError:
    why = printable(last.removeprefix("Error: ")) or f"it ends with {code}"
    return _FailedError(f"helm {command[1]} has failed: {why}", last)


def _pass_on(lines: Iterable[str]) -> str:
    """Write lines to standard error as they come, but for the last one that says something, which is given back."""
    last = ""
    for line in lines:
        if line.strip():
            if last:
                sys.stderr.write(last + "\n")
            last = line.rstrip()
    return last
