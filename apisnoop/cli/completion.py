"""Shell completion: scripts for bash, zsh and fish, and the answers kubectl asks `kubectl_complete-apisnoop` for."""

import sys

import click
from click.shell_completion import ShellComplete, get_completion_class

from apisnoop.cli.main import cli

# How a cobra program (kubectl) is told not to fall back to file names, resp. to do so.
# https://github.com/spf13/cobra/blob/main/completions.go, ShellCompDirective
NO_FILES, FILES = ":4", ":0"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    bash: `source <(apisnoop completion bash)`; zsh: the same with zsh;
    fish: `apisnoop completion fish | source`.
    """
    shell_complete = get_completion_class(shell)
    if shell_complete is None:
        raise click.UsageError(f"click has no completion for {shell}")
    # Click's ShellComplete.source() of bash asks the installed bash for its version; an old one gets a warning only.
    source = shell_complete(cli, {}, "apisnoop", "_APISNOOP_COMPLETE").source()
    # Click's script for fish drops what stands behind a comma within a value, as in --fail-on deprecated,removed.
    click.echo(source.replace('string split ","', 'string split --max 1 ","'))


def completions(arguments: list[str], incomplete: str) -> tuple[list[str], str]:
    """Return the lines (value, tab, help) that complete `incomplete` after `arguments`, and cobra's directive."""
    items = ShellComplete(cli, {}, "apisnoop", "_APISNOOP_COMPLETE").get_completions(arguments, incomplete)
    lines = [f"{item.value}\t{item.help}" if item.help else str(item.value) for item in items if item.type == "plain"]
    return lines, FILES if any(item.type in {"file", "dir"} for item in items) else NO_FILES


def kubectl_complete() -> None:
    """Answer kubectl, which gives the words after `kubectl apisnoop`, the last one unfinished."""
    words = sys.argv[1:] or [""]
    lines, directive = completions(words[:-1], words[-1])
    click.echo("\n".join([*lines, directive]))
