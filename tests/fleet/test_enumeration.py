"""Many names in a few words."""

import pytest

from apisnoop.fleet.enumeration import some_of


@pytest.mark.parametrize(
    ("number", "said"), [(0, ""), (1, "n0"), (2, "n0, n1"), (3, "n0, n1 and 1 more"), (1234, "n0, n1 and 1,232 more")]
)
def test_the_first_few_are_named_and_the_others_counted(number, said):
    """All of them where they are few."""
    assert some_of([f"n{one}" for one in range(number)], 2) == said
