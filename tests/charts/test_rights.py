"""The rights that the chart grants, in each mode, held against the tables in the READMEs."""

import pytest
import yaml

from tests.charts.rendering import CHART, MODES, ROOT, objects
from tests.charts.rights import bindings, granted, tabled

pytestmark = pytest.mark.cluster  # helm comes with the test cluster's programs
TABLES = {
    "apisnoop-webhook": ROOT / "webhook" / "README.md",
    "apisnoop-certs": ROOT / "certs" / "README.md",
    "apisnoop-agent": ROOT / "tproxy" / "README.md",
    "apisnoop-test": CHART / "README.md",
}


def settings_of(values, within=""):
    """Give values as one would set them: {"webhook.enabled": "true"}."""
    given = {}
    for name, value in values.items():
        if isinstance(value, dict):
            given |= settings_of(value, f"{within}{name}.")
        else:
            given[f"{within}{name}"] = str(value).lower() if isinstance(value, bool) else str(value)
    return given


DEFAULTS = settings_of(yaml.safe_load((CHART / "values.yaml").read_text()))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("account", TABLES)
def test_the_rights_are_those_of_the_table(account, mode):
    """A right without a reason, or a reason without the right, is found, whatever the chart is told."""
    listed = tabled(TABLES[account], DEFAULTS | dict(one.split("=", 1) for one in MODES[mode]))
    assert listed
    absent = (account, mode) == ("apisnoop-webhook", "without-webhook")
    assert granted(objects(MODES[mode]), account) == (set() if absent else listed)


@pytest.mark.parametrize("mode", MODES)
def test_nobody_else_has_rights(mode):
    """Every binding is for one account, which is one of those with a table, in our own namespace."""
    for binding in bindings(objects(MODES[mode])):
        (subject,) = binding["subjects"]
        assert subject["kind"] == "ServiceAccount"
        assert subject["namespace"] == "apisnoop"
        assert subject["name"] in TABLES
