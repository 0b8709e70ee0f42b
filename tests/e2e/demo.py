"""What a newcomer sees first: `scripts/demo`.

A real Kubernetes on this machine, real clients through `apisnoop run`, what they called, and the proof that nothing was
missed: the API server's own audit log, joined call by call. It leaves files in `demo-output` and, unless told to keep
the cluster, nothing else. The exit code is 0 only if the two agree.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import Cluster
from e2e.audit_join import join_files
from e2e.programs import Programs
from e2e.robot import create_robot
from e2e.settled import wait_until_settled
from e2e.ways import APISNOOP
from e2e.workload import workload_command, workload_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from e2e.audit_join import Agreement
    from e2e.robot import Robot

OUTPUT = Path("demo-output")
DISAGREES, USAGE, FAILED, INTERRUPTED = 1, 2, 3, 130


def main() -> int:
    """Run the demo and return the exit code; what went wrong is one line on standard error."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description="See apisnoop at work on a real Kubernetes.")
    parser.add_argument("--keep", action="store_true", help="keep the cluster and say how to use and to end it")
    options = parser.parse_args()
    try:
        return show(keep=options.keep)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        print("\n".join([f"scripts/demo: {error}", *getattr(error, "__notes__", [])]), file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def show(*, keep: bool) -> int:
    """Show everything, step by step, and return whether recording and audit log agree."""
    say("apisnoop: what do real clients call on a real Kubernetes, and was every call seen?")
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    with step("1/4  Kubernetes on this machine: API server, controllers, scheduler, DNS, one node"):
        cluster = Cluster.start()
    with cluster, tempfile.TemporaryDirectory() as folder:
        programs = Programs.build(cluster.kubectl_path)
        robot = create_robot(cluster, Path(folder))
        with step(f"2/4  Clients through `apisnoop run`, all as the service account {robot.namespace}/robot"):
            record(workload_command(programs, robot.namespace), robot)
            wait_until_settled(cluster.audit_log, robot.user)
        with step("3/4  What they called\n"):
            report(robot)
        with step("4/4  The API server's audit log of the same service account, call by call"):
            agreement = join_files(cluster.audit_log, OUTPUT / "calls.jsonl", robot.user)
            say(indented(str(agreement)))
        if keep:
            cluster.stay()
            say(f'\nThe cluster is yours:  eval "$(scripts/cluster env {cluster.directory.name})"')
            say("It ends with:          scripts/cluster down")
    return conclude(agreement)


def record(command: Sequence[str], robot: Robot) -> None:
    """Run the workload through apisnoop, its lines indented; raise RuntimeError where it fails."""
    files = ("--db", OUTPUT / "apisnoop.db", "--calls", OUTPUT / "calls.jsonl", "--report", os.devnull)
    words = [APISNOOP, "run", "--quiet", *files, "--", *command]
    with subprocess.Popen(
        words, env=workload_environment(robot.kubeconfig), stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            say(indented(line.rstrip()))
    if running.returncode:
        raise RuntimeError(f"the clients left with {running.returncode}; what they said is above")


def report(robot: Robot) -> None:
    """Print the coverage, and write it for a browser and for programs."""
    sys.stdout.flush()
    coverage = [APISNOOP, "coverage", "--db", OUTPUT / "apisnoop.db", "--kubeconfig", robot.kubeconfig]
    subprocess.run(coverage, check=True)
    for form, name in (("html", "report.html"), ("json", "coverage.json")):
        subprocess.run([*coverage, "--output", form, "--output-file", OUTPUT / name], check=True)


def conclude(agreement: Agreement) -> int:
    """Say how it went and where to look further."""
    say(f"\nWritten to {OUTPUT}: report.html (open it in a browser), coverage.json, calls.jsonl, apisnoop.db")
    say(f"To look further, apisnoop is {relative(APISNOOP)} here, or after `. {relative(APISNOOP.parent)}/activate`:")
    say(f"     {relative(APISNOOP)} gaps --db {OUTPUT}/apisnoop.db")
    if not agreement.holds:
        say("\nThey DO NOT agree.")
        return DISAGREES
    joined = agreement.joined_by_id + agreement.joined_by_time
    say(f"\nThey agree: {joined:,} calls, each recorded exactly once with the same verb, path, status and user.")
    return 0


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what begins, and how long it took."""
    say(f"\n{title}")
    started = time.monotonic()
    yield
    say(f"     ({time.monotonic() - started:.0f} s)")


def say(text: str) -> None:
    """Print at once, for people who watch and for logs without a terminal."""
    print(text, flush=True)


def relative(path: Path) -> Path:
    """Give a path as it is called from the project's folder, if it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def indented(text: str) -> str:
    return "\n".join(f"     {line}" for line in text.splitlines())


if __name__ == "__main__":
    sys.exit(main())
