"""The entry points `apisnoop` and `kubectl-apisnoop`.

A verb's module is imported when the verb is used, so that `--help` and short commands start fast. Components add verbs
through the entry-point group `apisnoop.commands`.
"""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import click

from apisnoop import __version__
from apisnoop.errors import ApisnoopError, ExitCode

COMMAND_GROUP = "apisnoop.commands"

# verb -> (module under apisnoop.cli, one line of help). The module holds a click command named after the verb.
VERBS: dict[str, tuple[str, str]] = {}


class LazyGroup(click.Group):
    """A click group that knows its verbs by name and imports them only when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*VERBS, *(point.name for point in entry_points(group=COMMAND_GROUP)), *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in VERBS:
            command = getattr(import_module(f"apisnoop.cli.{VERBS[cmd_name][0]}"), cmd_name.replace("-", "_"))
            return command if isinstance(command, click.Command) else None
        for point in entry_points(group=COMMAND_GROUP, name=cmd_name):
            loaded = point.load()
            return loaded if isinstance(loaded, click.Command) else None
        return super().get_command(ctx, cmd_name)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Watch which Kubernetes API operations pods and programs really call."""


def main(*, prog_name: str = "apisnoop") -> None:
    """Run the command line and leave with the exit code of `apisnoop.errors.ExitCode`."""
    try:
        result: Any = cli.main(prog_name=prog_name, standalone_mode=False)
    except click.exceptions.Abort:
        raise SystemExit(ExitCode.INTERRUPTED) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except ApisnoopError as error:
        click.echo(f"{prog_name}: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    raise SystemExit(result if isinstance(result, int) else ExitCode.OK)


def main_as_kubectl_plugin() -> None:
    """The same command line as `kubectl apisnoop`."""
    main(prog_name="kubectl apisnoop")
