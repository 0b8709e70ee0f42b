"""The console script: says what to install where the extra `webhook` is missing, else runs the command line."""

import sys

from apisnoop.errors import ExitCode


def main() -> None:
    """Run `apisnoop-webhook`."""
    try:
        from apisnoop_webhook.command import run  # noqa: PLC0415 - the libraries of the extra may not be there
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("apisnoop"):
            raise
        sys.stderr.write(
            f"apisnoop-webhook: needs {error.name}, which is not installed: pip install 'apisnoop[webhook]'\n"
        )
        sys.exit(ExitCode.UNAVAILABLE)
    run()
