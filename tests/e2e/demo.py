"""What a newcomer sees first: `scripts/demo`.

A real Kubernetes with two nodes on this machine. First a program through `apisnoop run`, then pods that are recorded
inside the cluster; each time what they called, and the proof that nothing was missed: the API server's own audit log,
joined call by call. It leaves files in `demo-output` and, unless told to keep the cluster, nothing else. The exit code
is 0 only if everything agrees and no trace is left.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from apisnoop.errors import ApisnoopError
from cluster import Cluster
from e2e.demo_inside import show_inside
from e2e.demo_run import show_run
from e2e.demo_screen import relative, say, step
from e2e.patience import slowness
from e2e.programs import Programs
from e2e.robot import create_robot
from e2e.ways import APISNOOP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

OUTPUT = Path("demo-output")
DISAGREES, USAGE, FAILED, INTERRUPTED = 1, 2, 3, 130
FAILURES = (
    AssertionError, ApisnoopError, OSError, RuntimeError, msgspec.MsgspecError, subprocess.SubprocessError,
)  # fmt: skip
"""What goes wrong with the machine, the cluster or an answer, and is no mistake in the demo itself."""
PARTS = {"run": show_run, "inside": show_inside}
FILES = {
    "run": ("apisnoop.db", "calls.jsonl", "coverage.json", "report.html"),
    "inside": ("pods.html", "pods.jsonl", "watch.log"),
}
"""What each part leaves in the folder; a part that is not shown keeps what it left the last time."""
ON_YOUR_OWN = """
On your own cluster, with nothing installed in it: `apisnoop run -- COMMAND`. Inside it, with Helm and a registry that
its nodes pull from (`kubectl apisnoop` needs apisnoop on the PATH):
     scripts/build-image       # then push apisnoop and apisnoop-proxy to the registry
     kubectl apisnoop install --set image.core.repository=REGISTRY/apisnoop \\
         --set image.proxy.repository=REGISTRY/apisnoop-proxy
     kubectl annotate pod NAME apisnoop=true      # or: kubectl apisnoop on deploy/NAME --for 10m
     kubectl apisnoop status
     kubectl apisnoop coverage --cluster
     kubectl apisnoop uninstall"""


def main() -> int:
    """Run the demo and return the exit code; what went wrong is said on standard error, without a traceback."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description="See apisnoop at work on a real Kubernetes.")
    parser.add_argument("--keep", action="store_true", help="keep the cluster and say how to use and to end it")
    parser.add_argument("--only", choices=tuple(PARTS), help="show only a program on this machine, or only pods")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return show([options.only] if options.only else list(PARTS), keep=options.keep)
    except FAILURES as error:
        print("\n".join([*reasons(error), *slowness(error)]), file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def show(parts: Sequence[str], *, keep: bool) -> int:
    """Show the parts, step by step, and return whether all that was recorded is true."""
    began = time.monotonic()
    say("apisnoop: what do real clients call on a real Kubernetes, and was every call seen?")
    OUTPUT.mkdir(exist_ok=True)
    for name in (name for part in parts for name in FILES[part]):
        (OUTPUT / name).unlink(missing_ok=True)
    with held_cluster(keep=keep) as cluster, tempfile.TemporaryDirectory() as folder:
        programs = Programs.build(cluster.kubectl_path)
        robot = create_robot(cluster, Path(folder))
        faults = [fault for part in parts for fault in PARTS[part](cluster, programs, robot, OUTPUT)]
    say_what_is_written()
    say(ON_YOUR_OWN)
    return conclude(faults, time.monotonic() - began)


@contextmanager
def held_cluster(*, keep: bool) -> Iterator[Cluster]:
    """Start a cluster for a block; to be kept, it has to come to the block's end."""
    with ExitStack() as at_the_end:
        with step("Kubernetes on this machine: API server, controllers, scheduler, DNS, two nodes"):
            cluster = at_the_end.enter_context(Cluster.start(nodes=2))
        yield cluster
        if keep:
            cluster.stay()
            at_the_end.pop_all()
            number = cluster.directory.name
            say(f'\nThe cluster is yours:  eval "$(scripts/cluster env {number})"')
            say(f"apisnoop in it:        scripts/cluster load --into {number}; kubectl apisnoop install")
            say(f"It ends with:          scripts/cluster down {number}")


def reasons(error: BaseException) -> Iterator[str]:
    """Say what went wrong, the first thing first: cleaning up after it may have failed, too."""
    if error.__context__ is not None and not error.__suppress_context__:
        yield from reasons(error.__context__)
    yield f"scripts/demo: {error}"
    yield from getattr(error, "__notes__", [])


def say_what_is_written() -> None:
    """Name the files that are left, and how to look further."""
    names = ", ".join(sorted(path.name for path in OUTPUT.iterdir()))
    say(f"\nWritten to {OUTPUT}: {names} (.html: open it in a browser)")
    if (OUTPUT / "apisnoop.db").exists():
        activate = f"`. {relative(APISNOOP.parent)}/activate`"
        say(f"To look further (apisnoop alone is enough after {activate}):")
        say(f"     {relative(APISNOOP)} gaps --db {OUTPUT}/apisnoop.db")


def conclude(faults: Sequence[str], seconds: float) -> int:
    """Say how it went, as the last word, and give the exit code."""
    took = f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    if faults:
        say("\n".join([f"\nAfter {took}, this is NOT as it should be:", *(f"  - {fault}" for fault in faults)]))
        return DISAGREES
    say(f"\nAll is as it should be: recording and the API server's own audit log agree, call by call ({took}).")
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that everything is cleaned up."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
