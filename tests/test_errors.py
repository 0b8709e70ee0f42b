"""What a failure says of the next step."""

import pytest

from apisnoop.errors import RefusedError

WHO = 'User "ann" cannot'


@pytest.mark.parametrize(
    ("message", "right"),
    [
        (
            f'pods is forbidden: {WHO} list resource "pods" in API group "" at the cluster scope',
            "list pods cluster-wide",
        ),
        (
            f'{WHO} patch resource "deployments" in API group "apps" in the namespace "shop"',
            "patch deployments.apps in namespace shop",
        ),
    ],
)
def test_a_refusal_names_the_missing_right_and_where_rights_are_listed(message, right):
    """Whoever grants rights needs no more than that."""
    assert str(RefusedError("read x", 403, message)).endswith(f"; the missing right: {right} (docs/cluster.md#rights)")


def test_a_refusal_for_other_reasons_says_what_it_can():
    """An admission policy forbids, too; and a token that has ended is a matter of credentials."""
    assert str(RefusedError("create in x", 403, "denied")).endswith(
        "; docs/cluster.md#rights lists the rights that are needed"
    )
    assert "renew them" in str(RefusedError("read x", 401, "Unauthorized"))
    assert str(RefusedError("read x", 500, "")) == "the API server refuses to read x: 500"
