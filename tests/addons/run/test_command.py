"""What the command line of a run refuses before anything is started."""

from click.testing import CliRunner

from apisnoop_addons.run.command import run


def test_bodies_are_shown_only_where_there_is_a_view():
    """`--ui-bodies` alone would do nothing, which is said instead."""
    result = CliRunner().invoke(run, ["--ui-bodies", "--", "true"])
    assert result.exit_code == 2
    assert "--ui" in result.output
