"""The chart's values: what is refused, what is documented, and that the two versions are one."""

import json
import re
from functools import reduce

import pytest
import yaml

import apisnoop
from tests.charts.rendering import CHART, helm

pytestmark = pytest.mark.cluster  # helm comes with the test cluster's programs


@pytest.mark.parametrize(
    "setting",
    ["agent.wrong=1", "wrong=1", "certificate.mode=maybe", "image.core.digest=sha256:1", "webhook.replicas=0"],
)
def test_a_value_that_is_none_is_refused(setting):
    """A slip in a name or a value ends the installation before it begins."""
    answer = helm("template", "apisnoop", CHART, "--kube-version=1.30.0", f"--set={setting}")
    assert answer.returncode != 0
    assert setting.split("=")[0].split(".")[-1] in answer.stderr


def test_a_server_that_is_too_old_is_refused():
    """matchConditions and admission policies are stable since 1.30."""
    assert "1.30" in helm("template", "apisnoop", CHART, "--kube-version=1.29.9").stderr


def test_mode_init_needs_the_webhook():
    """Without it no pod would ever be prepared, and nobody would know why."""
    settings = ("--set=interception.mode=init", "--set=webhook.enabled=false")
    assert "webhook.enabled" in helm("template", "apisnoop", CHART, "--kube-version=1.30.0", *settings).stderr


def test_chart_and_program_have_one_version():
    """The images' tag is the chart's appVersion."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == apisnoop.__version__


def test_the_schema_knows_the_values_and_no_others():
    """A value without a schema would be refused, a schema without a value is undocumented."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(schema["properties"]) - {"global"} == set(values)
    for section, value in values.items():
        properties = schema["properties"][section].get("properties")
        assert properties is None or set(properties) == set(value), section


def test_the_readme_names_values_that_exist():
    """And says their defaults as they are."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    rows = re.findall(r"^\| (`[a-z][\w.`, ]+) \| ([^|]+) \|", (CHART / "README.md").read_text(), re.MULTILINE)
    assert len(rows) > 5
    for names, default in rows:
        for name in re.findall(r"`([\w.]+)`", names):
            found = reduce(lambda at, key: at[key], name.split("."), values)
            if isinstance(found, bool | str) and found != "":
                assert str(found).lower() == default
