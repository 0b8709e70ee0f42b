"""The rights that the chart grants, held against the components' own tables."""

import pytest

from tests.charts.rendering import ROOT, objects
from tests.charts.rights import granted, tabled

pytestmark = pytest.mark.cluster  # helm comes with the test cluster's programs


@pytest.mark.parametrize(("component", "account"), [("webhook", "webhook"), ("certs", "certs"), ("tproxy", "agent")])
def test_the_rights_are_those_of_the_components_own_table(component, account):
    """A right without a reason, or a reason without the right, is found."""
    assert granted(objects(), f"apisnoop-{account}") == tabled(ROOT / component / "README.md", component)
