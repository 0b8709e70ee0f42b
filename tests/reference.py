"""The command reference: `--help` of every verb as one page, written by `scripts/build-docs` and compared by a test."""

import click

from apisnoop.cli.main import cli


def render_reference(root: click.Group = cli) -> str:
    """Return docs/commands.md: a section for each verb and verb below a verb, in alphabetical order."""
    context = click.Context(root, info_name="apisnoop", terminal_width=100, **root.context_settings)
    parts = [
        "# Commands",
        "Written by `scripts/build-docs` from `--help`; exit codes are in [exit-codes.md](exit-codes.md).",
    ]
    return "\n\n".join([*parts, *sections(root, context)]) + "\n"


def sections(command: click.Command, context: click.Context) -> list[str]:
    """Return the section of `command` and of each verb below it."""
    found = [f"## {context.command_path}\n\n```text\n{command.get_help(context).rstrip()}\n```"]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                found += sections(below, click.Context(below, info_name=name, parent=context, terminal_width=100))
    return found


if __name__ == "__main__":
    click.echo(render_reference(), nl=False)
