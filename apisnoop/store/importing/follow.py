"""Following growing files, as `tail -F` does: through rotation by renaming and by truncating.

A file that is truncated may lose lines that were written since it was last read; that is recorded as a loss.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from apisnoop.calls.audit.counting import Local
from apisnoop.calls.inputs.continued import Continued
from apisnoop.calls.inputs.errors import InputError
from apisnoop.calls.inputs.recognition import Layout
from apisnoop.calls.inputs.source import Source
from apisnoop.store.importing.bookmark import FINGERPRINT, DiffersError, Mark
from apisnoop.store.importing.importer import Importer, go_to
from apisnoop.store.importing.line_import import Start

if TYPE_CHECKING:
    from apisnoop.store.importing.line_import import LineImport
    from apisnoop.store.importing.session import Outcome, Session


class Follower:
    """Follows one path; `step` never waits."""

    def __init__(self, importer: Importer, name: str) -> None:
        self._importer = importer
        self._name = name
        self._source: Source | None = None
        self._session: Session | None = None
        self._reading: Continued | None = None
        self._lines: LineImport | None = None
        self._was_there = False
        self.outcomes: list[Outcome] = []
        """One for each file that was at the path."""

    def step(self) -> None:
        """Count what has been added since the last step. Raises InputError and StoreError as `Importer.run` does."""
        if self._lines is None and not self._begin():
            return
        assert self._lines is not None
        self._lines.read()
        if self._is_rewritten():
            self._end()
        elif self._is_replaced():
            self._lines.read()  # what came between the last read and the renaming
            self._end()
        else:
            self._lines.commit_if_due()

    def stop(self) -> None:
        """Commit all whole lines and close."""
        if self._lines is not None:
            self._lines.commit()
        self._close()

    def _begin(self) -> bool:
        """Open the file at the path; false while there is nothing to read: in the middle of a rotation, or as long as
        it is shorter than what was read of it before.
        """
        if self._was_there and not Path(self._name).exists():
            return False
        foreign: set[int] = set()
        while True:
            source = Source.open(self._name)
            self._was_there = True
            try:
                if self._try(source, foreign):
                    return True
                source.close()
            except DiffersError as error:
                foreign.add(error.bookmark)
                source.close()
                continue
            except BaseException:
                source.close()
                raise
            return False

    def _try(self, source: Source, foreign: set[int]) -> bool:
        if not source.is_regular:
            raise InputError(f"input {self._name} is no plain file and cannot be followed: import it without --follow")
        beginning = source.head_with_line()
        if b"\n" not in beginning:
            return False
        kind = self._importer.recognise(source, beginning)
        if kind.layout is not Layout.LINES:
            raise InputError(f"input {self._name} does not grow by lines ({kind.name}): import it without --follow")
        session = self._importer.session(source, kind, Mark(beginning[:FINGERPRINT]), foreign)
        tail = go_to(source, session.bookmark)
        if tail is None:
            return False
        counting, reading = Local(self._importer.counter()), Continued(source, session.bookmark.position, tail)
        self._source, self._session, self._reading = source, session, reading
        self._lines = self._importer.lines_of(session, source, Start(tail, reading.read), counting)
        self.outcomes.append(session.outcome)
        return True

    def _is_rewritten(self) -> bool:
        """Tell whether the file was emptied, and perhaps filled again, since it was read."""
        return self._reading is not None and self._reading.is_rewritten

    def _is_replaced(self) -> bool:
        """Tell whether the path leads to another file now."""
        assert self._source is not None
        held = os.fstat(self._source.fileno())
        try:
            now = Path(self._name).stat()
        except OSError:
            return False  # renamed, and the new one is not there yet: more may still come to the old one
        return (now.st_dev, now.st_ino) != (held.st_dev, held.st_ino)

    def _end(self) -> None:
        """Commit the rest of a file that will not grow any more."""
        assert self._lines is not None
        assert self._session is not None
        self._lines.finish()
        if self._is_rewritten():
            self._session.lose_between("it was emptied and written anew while it was followed")
        self._close()

    def _close(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source = self._session = self._reading = self._lines = None
