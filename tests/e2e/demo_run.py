"""The demo's first part: real clients through `apisnoop run`, with nothing installed in the cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from e2e.audit_join import join_files
from e2e.demo_screen import say, step, tell
from e2e.settled import wait_until_settled
from e2e.ways import APISNOOP
from e2e.workload import workload_command, workload_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cluster import Cluster
    from e2e.audit_join import Agreement
    from e2e.programs import Programs
    from e2e.robot import Robot


def show_run(cluster: Cluster, programs: Programs, robot: Robot, output: Path) -> list[str]:
    """Show it step by step, and return what is wrong: nothing, if recording and audit log agree."""
    say("\nPart one: a program on this machine, and nothing installed in the cluster")
    with step(f"1/3  Clients through `apisnoop run`, all as the service account {robot.namespace}/robot"):
        _record(workload_command(programs, robot.namespace), robot, output)
        wait_until_settled(cluster.audit_log, robot.user)
    with step("2/3  What they called\n"):
        _report(robot, output)
    with step("3/3  The API server's audit log of the same service account, call by call"):
        agreement = join_files(cluster.audit_log, output / "calls.jsonl", robot.user)
        tell(str(agreement))
        tell(verdict(agreement))
    return [] if agreement.holds else ["what `apisnoop run` recorded DOES NOT agree with the audit log"]


def verdict(agreement: Agreement) -> str:
    """Say in a sentence whether recording and audit log agree."""
    if not agreement.holds:
        return "They DO NOT agree."
    joined = agreement.joined_by_id + agreement.joined_by_time
    return f"They agree: {joined:,} calls, each recorded exactly once with the same verb, path, status and user."


def _record(command: Sequence[str], robot: Robot, output: Path) -> None:
    """Run the workload through apisnoop, its lines indented; raise RuntimeError where it fails."""
    files: list[str | Path] = [
        "--db",
        output / "apisnoop.db",
        "--calls",
        output / "calls.jsonl",
        "--report",
        os.devnull,
    ]
    words: list[str | Path] = [APISNOOP, "run", "--quiet", *files, "--", *command]
    environment = workload_environment(robot.kubeconfig)
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            for line in running.stdout:
                tell(line.rstrip())
        except BaseException:
            running.terminate()  # leaving the block waits for its end
            raise
    if running.returncode:
        raise RuntimeError(f"the clients left with {running.returncode}; what they said is above")


def _report(robot: Robot, output: Path) -> None:
    """Print the coverage, and write it for a browser and for programs."""
    sys.stdout.flush()
    coverage: list[str | Path] = [
        APISNOOP,
        "coverage",
        "--db",
        output / "apisnoop.db",
        "--kubeconfig",
        robot.kubeconfig,
    ]
    subprocess.run(coverage, check=True)
    for form, name in (("html", "report.html"), ("json", "coverage.json")):
        subprocess.run([*coverage, "--output", form, "--output-file", output / name], check=True)
