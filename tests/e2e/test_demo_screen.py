"""How the demo shows that it goes on, and where it failed."""

from __future__ import annotations

import threading

import pytest

from e2e import demo_screen


def test_a_step_says_what_begins_before_it_does_and_then_how_long_it_took(capsys):
    """Also without a terminal: nothing waits in a buffer."""
    with demo_screen.step("1/2  Images"):
        assert capsys.readouterr().out == "\n1/2  Images\n"
    assert capsys.readouterr().out == "     (0 s)\n"


def test_a_long_step_shows_that_it_goes_on(monkeypatch):
    """Every minute; here sooner."""
    told: list[str] = []
    twice = threading.Event()

    def tell(text):
        told.append(text)
        if len(told) == 2:
            twice.set()

    monkeypatch.setattr(demo_screen, "EVERY", 0.01)
    monkeypatch.setattr(demo_screen, "tell", tell)
    with demo_screen.step("1/2  Images"):
        assert twice.wait(30)
    assert told[:2] == ["… 1 min, still at it", "… 2 min, still at it"]
    assert told[-1] == "(0 s)"


def test_a_failure_says_in_which_step_it_was(capsys):
    """Its message alone is of a program that nobody has called by hand."""
    with pytest.raises(TimeoutError) as failed, demo_screen.step("2/2  What they called\n"):
        raise TimeoutError
    (note,) = failed.value.__notes__
    assert note == "That was 0 s after the step began: 2/2  What they called. What was done is above."
    assert capsys.readouterr().out == "\n2/2  What they called\n\n"
