"""What can be wrong with an input, told in one line: its name, what happened, the next step."""

from apisnoop.errors import ApisnoopError


class InputError(ApisnoopError):
    """An input cannot be opened, read or understood; other inputs are not concerned."""
