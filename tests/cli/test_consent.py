"""Asking before something that cannot be taken back."""

import io
import sys

import pytest

from apisnoop.cli import consent
from apisnoop.errors import UsageError


def ask(monkeypatch, typed, *, watched=False):
    """Ask, with this on standard input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    monkeypatch.setattr(consent, "is_watched", lambda: watched)
    return consent.has_consent("Remove it?", otherwise="nothing was removed", deed="remove it unasked")


@pytest.mark.parametrize(("typed", "agreed"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False)])
@pytest.mark.parametrize("watched", [True, False])
def test_only_a_yes_is_consent(monkeypatch, capsys, typed, agreed, watched):
    """Of a person as of a pipe; only the person is asked, and after a no it is said that nothing was done."""
    assert ask(monkeypatch, typed, watched=watched) is agreed
    printed = capsys.readouterr()
    assert ("Remove it? [y/N]: " in printed.out + printed.err) is watched
    assert printed.err.endswith("nothing was removed\n") is not agreed


def test_where_nobody_answers_the_way_without_a_question_is_named(monkeypatch):
    """At the end of standard input."""
    with pytest.raises(UsageError) as raised:
        ask(monkeypatch, "")
    assert str(raised.value) == "nothing was removed, for nobody can be asked: to remove it unasked, add --yes"
