"""What the command line of a run refuses before anything is started."""

import subprocess
import sys

from click.testing import CliRunner

from apisnoop_addons.run.command import run


def test_bodies_are_shown_only_where_there_is_a_view():
    """`--ui-bodies` alone would do nothing, which is said instead."""
    result = CliRunner().invoke(run, ["--ui-bodies", "--", "true"])
    assert result.exit_code == 2
    assert "--ui" in result.output


def test_an_option_that_there_is_not_is_no_command():
    """Whatever comes after the command's own name is the command's."""
    result = CliRunner().invoke(run, ["--quiet", "--reprt", "x", "--", "true"])
    assert result.exit_code == 2
    assert "No such option" in result.output
    assert "--reprt" in result.output


def test_the_missing_extra_is_named():
    """Audit logs need no proxy, so that it may not be installed."""
    program = (
        "import sys; sys.modules['mitmproxy'] = None; sys.argv = ['apisnoop', 'run', '--', 'true']; "
        "from apisnoop.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr == ("apisnoop: run needs mitmproxy, which is not installed: pip install 'apisnoop[proxy]'\n")
