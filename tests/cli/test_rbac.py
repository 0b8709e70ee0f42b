"""`apisnoop rbac` as people use it."""

import pytest
import yaml

from apisnoop.errors import ExitCode
from tests.cli.reporting import run


def roles(text):
    return [found for found in yaml.safe_load_all(text) if found and "rules" in found]


def test_roles_of_every_service_account_go_to_standard_output(shop):
    """The text is YAML that kubectl takes; users are left out and named in a comment."""
    answer = run("rbac", "--db", shop)
    assert answer.exit_code == ExitCode.OK
    assert [role["metadata"]["name"] for role in roles(answer.stdout)] == ["apisnoop:shop:web"]
    assert "left out, being no service accounts: admin, alice" in answer.stdout


def test_names_and_users_are_choices(shop):
    """--users writes roles for alice, --resource-names narrows them to what she named."""
    found = roles(run("rbac", "--db", shop, "--users", "--resource-names").stdout)
    alice = [role for role in found if role["metadata"]["name"] == "apisnoop:user:alice" and role["kind"] == "Role"]
    assert alice[0]["rules"][0]["resourceNames"] == ["web-1"]


def test_one_service_account_can_be_asked_for(shop):
    """Others are not written."""
    assert roles(run("rbac", "--db", shop, "--service-account", "shop/web").stdout)
    assert not roles(run("rbac", "--db", shop, "--service-account", "shop/other").stdout)


def test_no_service_account_seen_is_said(shop):
    """A recording without the service account gives no role, and says that."""
    assert "No service account" in run("rbac", "--db", shop, "--service-account", "shop/other").stdout


@pytest.mark.parametrize("account", ["web", "a/b/c", "/web", "shop/"])
def test_a_service_account_without_its_namespace_is_a_usage_error(shop, account):
    """The message shows the form that is expected."""
    answer = run("rbac", "--db", shop, "--service-account", account)
    assert answer.exit_code == ExitCode.USAGE
    assert "NAMESPACE/NAME" in answer.stderr


def test_manifests_go_to_a_file(shop, tmp_path):
    """--output-file writes what standard output would get."""
    file = tmp_path / "roles.yaml"
    assert run("rbac", "--db", shop, "--output-file", file).output == ""
    assert roles(file.read_text())
