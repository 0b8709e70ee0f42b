"""The console script: says what to install where the extra `certs` is missing, else runs the command line."""

import sys

from apisnoop.errors import ExitCode


def main() -> None:
    """Run `apisnoop-certs`."""
    try:
        from apisnoop_certs.command import run  # noqa: PLC0415 - the libraries of the extra may not be there
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("apisnoop"):
            raise
        sys.stderr.write(f"apisnoop-certs: needs {error.name}, which is not installed: pip install 'apisnoop[certs]'\n")
        sys.exit(ExitCode.UNAVAILABLE)
    run()
