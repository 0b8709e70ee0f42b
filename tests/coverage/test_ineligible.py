"""The operations outside conformance."""

from apisnoop.coverage.ineligible import REASONS, ineligible


def test_every_operation_named_is_one_of_the_latest_release(catalogue):
    """The list has no name that a typing error or a rename made useless."""
    assert ineligible().keys() <= catalogue.operations.keys()
    assert len(ineligible()) == 101


def test_every_reason_has_words():
    """Each code can be told to a person, and none is told that no operation has."""
    assert set(ineligible().values()) == REASONS.keys()


def test_only_stable_operations_are_named(catalogue):
    """Conformance speaks of stable operations; the list cannot take alpha or beta ones out of a total."""
    assert {catalogue.operations[operation].level.value for operation in ineligible()} == {"stable"}
