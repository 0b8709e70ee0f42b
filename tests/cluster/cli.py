"""`scripts/cluster`: a cluster for a person to try things on."""

from __future__ import annotations

import argparse
import datetime
import subprocess
import sys
from typing import TYPE_CHECKING

from . import binaries, cache
from .claim import running, sweep
from .cluster import Cluster
from .processes import end, keeper_file, stays
from .provision import provide_nodes
from .slot import Slot

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_FAILED = 3
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code; what went wrong is one line on standard error."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        print("\n".join([f"scripts/cluster: {error}", *getattr(error, "__notes__", [])]), file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/cluster", description="A real Kubernetes on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="start a cluster that runs until `down`; prints the line that selects it")
    up.add_argument("--nodes", type=int, choices=(1, 2), default=1, help="how many nodes (default: 1)")
    up.add_argument(
        "--apiserver-argument",
        action="append",
        default=[],
        metavar="ARGUMENT",
        help="add an argument to kube-apiserver's, like --apiserver-argument=--goaway-chance=0.02",
    )
    up.set_defaults(run=_up)

    down = commands.add_parser("down", help="end clusters, and clean what crashed ones left")
    down.add_argument(
        "number", type=int, nargs="?", help="which, as `status` numbers them (default: all that `up` started)"
    )
    down.set_defaults(run=_down)

    commands.add_parser("status", help="list the running clusters").set_defaults(run=_status)
    commands.add_parser("build", help="build or fetch everything a cluster needs, and start nothing").set_defaults(
        run=_build
    )
    return parser


def _up(options: argparse.Namespace) -> None:
    cluster = Cluster.start(nodes=options.nodes, arguments=options.apiserver_argument)
    cluster.stay()
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    print(f"kubectl is {cluster.kubectl_path}; `scripts/cluster down` ends the cluster", file=sys.stderr)


def _down(options: argparse.Namespace) -> None:
    chosen = [slot for slot in running() if stays(slot)] if options.number is None else [Slot(options.number)]
    for slot in chosen:
        if slot not in running():
            raise RuntimeError(f"no cluster {slot.index} is running: `scripts/cluster status` lists them")
        end(slot)
        print(f"cluster {slot.index} is gone", file=sys.stderr)
    sweep()


def _status(_options: argparse.Namespace) -> None:
    rows = [_row(slot) for slot in running() if keeper_file(slot).exists()]
    if not rows:
        print("no cluster is running", file=sys.stderr)
        return
    for row in [("NUMBER", "NODES", "STARTED", "BY", "KUBECONFIG"), *rows]:
        print("{:<8}{:<7}{:<10}{:<6}{}".format(*row))


def _row(slot: Slot) -> tuple[str, str, str, str, str]:
    nodes = len(list(slot.directory.glob("node*/")))
    started = datetime.datetime.fromtimestamp(keeper_file(slot).stat().st_mtime).astimezone()
    owner = "up" if stays(slot) else "test"
    return str(slot.index), str(nodes), f"{started:%H:%M:%S}", owner, str(slot.directory / "admin.kubeconfig")


def _build(_options: argparse.Namespace) -> None:
    provide_nodes()
    binaries.build(binaries.HELM)
    print(f"everything is in {cache.directory()}", file=sys.stderr)
