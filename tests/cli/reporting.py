"""Running a verb in this process, as the console script would."""

from dataclasses import dataclass
from unittest.mock import patch

from click.testing import CliRunner

from apisnoop.cli.main import main


@dataclass
class Answer:
    """How a run ended and what it wrote."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Everything written."""
        return self.stdout + self.stderr


def run(*words: object) -> Answer:
    """Run `apisnoop WORDS...` up to its exit."""
    with CliRunner().isolation() as (stdout, stderr, _), patch("sys.argv", ["apisnoop", *map(str, words)]):
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        return Answer(code, stdout.getvalue().decode(), stderr.getvalue().decode())
