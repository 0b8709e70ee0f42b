"""The entry points `apisnoop` and `kubectl apisnoop`.

A verb's module is imported when the verb is used, so that `--help` and short commands start fast. Components add verbs
through the entry-point group `apisnoop.commands`.
"""

import errno
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from apisnoop import __version__
from apisnoop.causes import cause_of, printable
from apisnoop.errors import ApisnoopError, ExitCode

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

COMMAND_GROUP = "apisnoop.commands"
NO_OUTPUT = frozenset({errno.ENOSPC, errno.EIO})
"""Why writing to standard output, which has no file name, fails."""

# verb -> (module in apisnoop.cli, one line of help). The module holds a click command of the module's own name.
VERBS: dict[str, tuple[str, str]] = {
    "clear": ("clear", "Delete the calls in a store, all of them or the old ones."),
    "completion": ("completion", "Print the completion script of a shell."),
    "coverage": ("coverage", "Report which operations of the API were called, and by whom."),
    "diff": ("diff", "Compare two stores: newly used, no longer used, deprecated."),
    "doctor": ("doctor", "Find what is wrong in the cluster, and the next command."),
    "explain": ("explain", "Tell what a request to the API server is."),
    "gaps": ("gaps", "Rank what is used but untested, or rests on one test."),
    "import": ("import_", "Import audit logs, HAR and flow files into the store."),
    "install": ("install", "Install apisnoop in a cluster, or bring it up to date."),
    "merge": ("merge", "Merge stores into a new one, adding up their counts."),
    "off": ("off", "Record pods no more."),
    "on": ("on", "Record the API calls of pods, from now on."),
    "pull": ("pull", "Bring what the nodes have recorded into a store."),
    "rbac": ("rbac", "Write the least roles that allow what was recorded."),
    "spec": ("spec", "List, show and check catalogues of what the API can do."),
    "status": ("status", "Show every node, and every pod that is recorded or should be."),
    "uninstall": ("uninstall", "Take apisnoop out of a cluster."),
    "watch": ("watch", "Show the calls of recorded pods as they are made."),
}


class LazyGroup(click.Group):
    """A click group that knows its verbs by name and imports them only when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the core's verbs and those of the installed components, sorted."""
        return sorted({*VERBS, *verbs_of_components(), *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a verb; None where there is no such verb."""
        if cmd_name in VERBS:
            return verb_from(f"apisnoop.cli.{VERBS[cmd_name][0]}", VERBS[cmd_name][0])
        if point := verbs_of_components().get(cmd_name):
            return verb_from(point.module, point.attr)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that a command line begins with; for one that is none, say what may be meant."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from apisnoop.suggestions import suggestion  # noqa: PLC0415 - difflib, for those who mistype

            ctx.fail(f"No such command {name!r}{suggestion(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs without importing those of the core."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._lines_of_help(ctx)))

    def _lines_of_help(self, ctx: click.Context) -> Iterator[tuple[str, str]]:
        for name in self.list_commands(ctx):
            if name in VERBS:
                yield name, VERBS[name][1]
            elif (command := self.get_command(ctx, name)) and not command.hidden:
                yield name, command.get_short_help_str(limit=80)


def verbs_of_components() -> "dict[str, EntryPoint]":
    """Return the verbs that installed components have registered."""
    # Imported here: it takes a third of the time of a short command, and the core's own verbs do without.
    from importlib.metadata import entry_points  # noqa: PLC0415

    return {point.name: point for point in entry_points(group=COMMAND_GROUP)}


def verb_from(module: str, attribute: str) -> click.Command:
    """Import `module` and return the click command that it holds under `attribute`.

    Raises TypeError when a component registers something that is no command.
    """
    command = getattr(import_module(module), attribute)
    if not isinstance(command, click.Command):
        raise TypeError(f"{module}:{attribute} is registered as a verb of apisnoop but is a {type(command).__name__}")
    return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Watch which Kubernetes API operations pods and programs really call."""


def main(*, prog_name: str = "apisnoop") -> None:
    """Run the command line and leave with one of the exit codes of `apisnoop.errors.ExitCode`."""
    open_missing_streams()
    try:
        result = cli.main(prog_name=prog_name, standalone_mode=False)
    except click.exceptions.Abort:
        raise SystemExit(ExitCode.INTERRUPTED) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except ApisnoopError as error:
        click.echo(f"{prog_name}: {printable(str(error))}", err=True)
        raise SystemExit(error.exit_code) from None
    except SystemExit:
        # Outside of its standalone mode click leaves by itself, with 1, only where the reader of the output has gone,
        # as in `| head`. That is no finding.
        raise SystemExit(ExitCode.OK) from None
    except OSError as error:
        if error.filename is None and error.errno in NO_OUTPUT:
            leave_without_output(prog_name, error)
        if (why := why_unusable(error)) is None:
            raise
        click.echo(f"{prog_name}: {printable(why)}", err=True)
        raise SystemExit(ExitCode.UNAVAILABLE) from None
    raise SystemExit(result if isinstance(result, int) else ExitCode.OK)


def open_missing_streams() -> None:
    """Give a program that was started without standard streams (`<&-`) empty ones, in the place of each."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - until the end


def why_unusable(error: OSError) -> str | None:
    """Say which file or folder the system refuses, wherever that came up; None where it does not tell."""
    if error.filename is not None:
        return f"{error.filename} cannot be used: {cause_of(error)}; name another"
    try:
        Path.cwd()
    except OSError:
        return "the current folder is gone; change to another"
    return None


def leave_without_output(prog_name: str, error: OSError) -> NoReturn:
    """End where standard output takes no more."""
    # What is still buffered cannot be written either; Python would say so once more on its way out.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    click.echo(f"{prog_name}: standard output cannot be written: {cause_of(error)}", err=True)
    raise SystemExit(ExitCode.UNAVAILABLE) from None


def main_as_kubectl_plugin() -> None:
    """Run the same command line as `kubectl apisnoop`."""
    main(prog_name="kubectl apisnoop")
