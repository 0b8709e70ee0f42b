"""What `scripts/demo` says at its end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from e2e import demo
from e2e.audit_join import Agreement

FINE = Agreement("robot", 2, 2, 2, 0, 2, (), (), (), {})


@pytest.mark.parametrize(
    ("program", "named"),
    [
        (Path.cwd() / ".venv" / "bin" / "apisnoop", ".venv/bin/apisnoop"),
        (Path("/opt/bin/apisnoop"), "/opt/bin/apisnoop"),
    ],
)
def test_the_last_words_can_be_followed(monkeypatch, capsys, program, named):
    """The report proposes commands that begin with apisnoop, which is on nobody's PATH yet."""
    monkeypatch.setattr(demo, "APISNOOP", program)
    assert demo.conclude(FINE) == 0
    said = capsys.readouterr().out
    assert f"apisnoop is {named} here, or after `. {Path(named).parent}/activate`:" in said
    assert f"\n     {named} gaps --db demo-output/apisnoop.db\n" in said
    assert "They agree: 2 calls" in said


def test_a_disagreement_is_the_last_word_and_the_exit_code(capsys):
    """Whoever runs it in a script sees it, too."""
    assert demo.conclude(replace(FINE, different=(None,))) == demo.DISAGREES
    assert capsys.readouterr().out.endswith("They DO NOT agree.\n")
