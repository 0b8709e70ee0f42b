"""One thing that is wrong with an installation."""

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """Something that is wrong."""

    what: str
    """One line."""
    then: str
    """The command that mends it or tells more."""
