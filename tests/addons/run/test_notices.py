"""What a run says on standard error."""

import io
import logging

from apisnoop_addons.run.notices import Notices


def test_each_thing_is_told_once():
    """A command that fails the same way a thousand times is told of once."""
    stream = io.StringIO()
    notices = Notices(quiet=False, stream=stream)
    for text in ("a", "b", "a"):
        notices.tell(text)
    assert stream.getvalue() == "apisnoop run: a\napisnoop run: b\n"


def test_quiet_tells_nothing():
    """--quiet."""
    stream = io.StringIO()
    Notices(quiet=True, stream=stream).tell("a")
    assert stream.getvalue() == ""


def test_what_goes_wrong_is_told_to_the_quiet_too():
    """--quiet says nothing unless something goes wrong; faults that are logged do."""
    stream = io.StringIO()
    notices = Notices(quiet=True, stream=stream)
    notices.tell("the server refuses connections", always=True)
    with notices.faults_told():
        logging.getLogger("apisnoop_addons.engine").error("an addon failed")
    assert stream.getvalue() == (
        "apisnoop run: the server refuses connections\n"
        "apisnoop run: an addon failed; this is a mistake in apisnoop, please report it\n"
    )


def test_what_was_muted_is_told_later():
    """It does not count as told."""
    stream = io.StringIO()
    notices = Notices(quiet=False, stream=stream)
    with notices.muted():
        notices.tell("a", always=True)
    notices.tell("a")
    assert stream.getvalue() == "apisnoop run: a\n"


def test_there_is_an_end_to_it():
    """Ever new messages do not bury the command's own."""
    stream = io.StringIO()
    notices = Notices(quiet=False, stream=stream)
    for number in range(1000):
        notices.tell(str(number))
    assert len(stream.getvalue().splitlines()) == 50


def test_what_went_wrong_is_told_after_much_that_is_only_good_to_know():
    """Each kind has an end of its own; a line is told once, whichever kind it is of."""
    stream = io.StringIO()
    notices = Notices(quiet=False, stream=stream)
    for number in range(1000):
        notices.tell(f"note {number}")
    for number in range(1000):
        notices.tell(f"fault {number}", always=True)
    notices.tell("note 0", always=True)
    lines = stream.getvalue().splitlines()
    assert lines == [f"apisnoop run: {kind} {number}" for kind in ("note", "fault") for number in range(50)]


def test_faults_that_are_logged_are_told_and_warnings_are_not():
    """In one line, without what the logger would add; afterwards logging is as it was."""
    stream = io.StringIO()
    notices = Notices(quiet=False, stream=stream)
    before = list(logging.getLogger().handlers)
    with notices.faults_told():
        logging.getLogger("apisnoop_addons.engine").warning("Server TLS handshake failed")
        logging.getLogger("apisnoop_addons.engine").error("an addon failed: %s", "KeyError")
    assert stream.getvalue() == (
        "apisnoop run: an addon failed: KeyError; this is a mistake in apisnoop, please report it\n"
    )
    assert logging.getLogger().handlers == before
