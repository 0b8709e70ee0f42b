"""`scripts/cluster`: a cluster for a person to try things on."""

from __future__ import annotations

import argparse
import datetime
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from . import binaries, cache, project_images
from .archive_names import names_in
from .claim import running, sweep
from .cluster import Cluster
from .processes import end, keeper_file, stays
from .provision import provide_nodes
from .slot import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXIT_FAILED = 3
EXIT_INTERRUPTED = 130
VENV_PROGRAMS = Path(__file__).resolve().parent.parent.parent / ".venv" / "bin"
PROGRAMS = ("apisnoop", "kubectl-apisnoop", "kubectl_complete-apisnoop")
IMAGES = ("apisnoop", "apisnoop-proxy")

_NUMBER = "its number, as `status` shows it"


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

    up = commands.add_parser(
        "up", help='start a cluster that runs until `down`; prints what `env` does: eval "$(scripts/cluster up)"'
    )
    up.add_argument("--nodes", type=int, choices=(1, 2), default=1, help="how many nodes (default: 1)")
    up.add_argument(
        "--apiserver-argument",
        action="append",
        default=[],
        metavar="ARGUMENT",
        help="add an argument to kube-apiserver's, like --apiserver-argument=--goaway-chance=0.02",
    )
    up.set_defaults(run=_up)

    env = commands.add_parser(
        "env", help="print the lines of shell that select a cluster, with kubectl, helm and apisnoop"
    )
    env.add_argument("which", nargs="?", metavar="NUMBER", help=f"{_NUMBER} (default: the only one that `up` started)")
    env.set_defaults(run=_env)

    load = commands.add_parser(
        "load", help="load images into every node: archives, or the project's own two, built from this folder"
    )
    load.add_argument("archives", nargs="*", type=Path, metavar="ARCHIVE", help="docker-archives or OCI archives")
    load.add_argument("--into", dest="which", metavar="NUMBER", help=f"{_NUMBER} (default: the only one of `up`)")
    load.set_defaults(run=_load)

    down = commands.add_parser("down", help="end a cluster, and clean what crashed ones left")
    down.add_argument(
        "which",
        nargs="?",
        metavar="NUMBER|all",
        help=f"{_NUMBER}, or all that `up` started (default: the only one)",
    )
    down.set_defaults(run=_down)

    commands.add_parser("status", help="list the running clusters, also those of tests").set_defaults(run=_status)
    commands.add_parser("build", help="build or fetch everything a cluster needs, and start nothing").set_defaults(
        run=_build
    )
    return parser


def _up(options: argparse.Namespace) -> None:
    binaries.build(binaries.HELM)
    cluster = Cluster.start(nodes=options.nodes, arguments=options.apiserver_argument)
    cluster.stay()
    number = cluster.directory.name
    _print_environment(Slot(int(number)))
    print(f"cluster {number} runs until: scripts/cluster down {number}", file=sys.stderr)
    print(f'to use it from this shell:   eval "$(scripts/cluster env {number})"', file=sys.stderr)
    then = "apisnoop run -- kubectl get pods -A" if _own_programs() else "scripts/setup, for there is no apisnoop yet"
    print(f"and then, for example:       {then}", file=sys.stderr)


def _env(options: argparse.Namespace) -> None:
    chosen = _chosen(options.which)
    if not chosen:
        raise RuntimeError("no cluster is running: `scripts/cluster up` starts one")
    _print_environment(chosen[0])


def _load(options: argparse.Namespace) -> None:
    chosen = _chosen(options.which)
    if not chosen:
        raise RuntimeError("no cluster is running: `scripts/cluster up` starts one")
    sockets = sorted(chosen[0].directory.glob("node*/disk/run/containerd/containerd.sock"))
    with tempfile.TemporaryDirectory(dir=chosen[0].directory) as folder:
        for archive in options.archives or _built(Path(folder)):
            names = names_in(archive) or ["an image without a name"]
            for socket in sockets:
                print(f"loading {', '.join(names)} to {socket.parents[3].name}", file=sys.stderr)
                _import(archive, socket)
            for name in names:
                print(f"{name} is on {len(sockets)} node{'s' if len(sockets) > 1 else ''}", file=sys.stderr)


def _built(directory: Path) -> Iterator[Path]:
    """Build the project's own images, one after the other."""
    for name in IMAGES:
        print(f"building image {name} (a minute or two the first time, seconds later on)", file=sys.stderr)
        yield project_images.build(directory, name, tag="")


def _import(archive: Path, socket: Path) -> None:
    """Import an archive through a node's containerd.

    Raises RuntimeError with ctr's message, OSError where there is no such archive.
    """
    ctr = binaries.build(binaries.CONTAINERD) / "ctr"
    with archive.open("rb") as content:
        done = subprocess.run(
            [ctr, "--address", socket, "--namespace=k8s.io", "images", "import", "-"],
            stdin=content,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"cannot import {archive}: {(done.stderr or done.stdout).strip()}")


def _print_environment(slot: Slot) -> None:
    """Print the shell's lines, and make the folder they put on the PATH: of all programs, only what a person calls."""
    tools = slot.directory / "tools"
    tools.mkdir(exist_ok=True)
    programs = [binaries.build(binaries.KUBERNETES) / "kubectl", binaries.build(binaries.HELM) / "helm"]
    for program in [*programs, *_own_programs()]:
        link = tools / program.name
        link.unlink(missing_ok=True)
        link.symlink_to(program)
    print(f"export KUBECONFIG={shlex.quote(str(_kubeconfig(slot)))}")
    print(f'export PATH={shlex.quote(str(tools))}:"$PATH"')


def _own_programs() -> list[Path]:
    """List the project's own programs, as far as `scripts/setup` has installed them."""
    return [program for name in PROGRAMS if (program := VENV_PROGRAMS / name).exists()]


def _down(options: argparse.Namespace) -> None:
    for slot in _ours() if options.which == "all" else _chosen(options.which):
        end(slot)
        print(f"cluster {slot.index} is gone", file=sys.stderr)
    sweep()


def _chosen(which: str | None) -> list[Slot]:
    """Return the running cluster of that number, or the only one that `up` started, if there is one.

    Raises RuntimeError when there are several, or none of that number.
    """
    if which is None:
        ours = _ours()
        if len(ours) > 1:
            numbers = ", ".join(str(slot.index) for slot in ours)
            raise RuntimeError(f"several clusters are running ({numbers}): say which")
        return ours
    found = [slot for slot in running() if str(slot.index) == which]
    if not found:
        raise RuntimeError(f"no cluster {which} is running: `scripts/cluster status` lists them")
    return found


def _ours() -> list[Slot]:
    """List the clusters that `up` started; the others belong to tests, which end them."""
    return [slot for slot in running() if stays(slot)]


def _kubeconfig(slot: Slot) -> Path:
    return slot.directory / "admin.kubeconfig"


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
    return str(slot.index), str(nodes), f"{started:%H:%M:%S}", owner, str(_kubeconfig(slot))


def _build(_options: argparse.Namespace) -> None:
    provide_nodes()
    binaries.build(binaries.HELM)
    print(f"everything is in {cache.directory()}", file=sys.stderr)
