"""`apisnoop rbac` as people use it."""

import json

import pytest
import yaml

from apisnoop.errors import ExitCode
from tests.cli.reporting import run
from tests.coverage.recording import ALICE, NOBODY, SHOP, WEB, Called

OTHER_ACCOUNT = type(WEB)(namespace="shop", service_account="shop/other", user="system:serviceaccount:shop:other")


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


def test_one_service_account_can_be_asked_for(stored):
    """Others are not written."""
    with_two = stored("two.db", [*SHOP, Called(OTHER_ACCOUNT, "GET", "/api/v1/pods")])
    answer = run("rbac", "--db", with_two, "--service-account", "shop/other")
    assert [role["metadata"]["name"] for role in roles(answer.stdout)] == ["apisnoop:shop:other"]


def test_a_service_account_that_was_not_seen_is_an_error(shop):
    """The message names the one asked for and those there are; not even the others' roles are written."""
    answer = run("rbac", "--db", shop, "--service-account", "shop/other", "--service-account", "shop/web")
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert answer.stdout == ""
    assert "no call of --service-account shop/other is in store" in answer.stderr
    assert answer.stderr.endswith("service accounts that made calls: shop/web\n")


def test_a_service_account_outside_the_window_is_an_error(shop):
    """What it did at another time does not count, and the message says that a window was asked for."""
    answer = run("rbac", "--db", shop, "--service-account", "shop/web", "--since", "2026-06-01T10:00:00Z")
    assert answer.exit_code == ExitCode.UNAVAILABLE
    assert "no call of --service-account shop/web is in this window of" in answer.stderr
    assert "--users" in answer.stderr


def test_users_are_pointed_to_where_only_they_made_calls(stored):
    """Whoever recorded with an own kubeconfig learns at once which option writes the roles."""
    db = stored("people.db", [Called(ALICE, "GET", "/api/v1/pods")])
    answer = run("rbac", "--db", db)
    assert answer.exit_code == ExitCode.OK
    assert answer.stderr == (
        "apisnoop: only users made calls, no service account: alice; to write their roles add --users\n"
    )
    first, *others = answer.stdout.splitlines()
    assert first == (
        "# No service account made any of the recorded calls, only users: alice. --users writes their roles."
    )
    assert not any("alice" in line or "--users" in line for line in others)
    assert run("rbac", "--db", db, "--users").stderr == ""
    assert "give --users instead" in run("rbac", "--db", db, "--service-account", "shop/web").stderr


def test_a_person_who_looks_at_the_text_is_told_once(stored, monkeypatch):
    """On a terminal, messages and text stand one under the other."""
    monkeypatch.setattr("apisnoop.cli.rbac.is_looked_at", lambda _: True)
    answer = run("rbac", "--db", stored("people.db", [Called(ALICE, "GET", "/api/v1/pods")]))
    assert (answer.exit_code, answer.stderr) == (ExitCode.OK, "")
    assert answer.stdout.count("--users") == 1


def test_nobody_can_be_given_the_rights_of_callers_that_no_source_told_of(stored):
    """--users is no help there, so it is not proposed."""
    unknown = Called(NOBODY, "GET", "/api/v1/pods")
    alone = run("rbac", "--db", stored("unknown.db", [unknown]), "--users")
    assert alone.stdout.startswith("# No source told who made the recorded calls, so there is no role to write.\n")
    assert alone.stderr == ""
    beside = run("rbac", "--db", stored("both.db", [unknown, Called(WEB, "GET", "/api/v1/pods")]))
    assert "# left out: callers that no source told of, for whom no role can be written\n" in beside.stdout
    assert "--users" not in alone.stdout + beside.stdout


def test_an_account_whose_calls_were_all_refused_gets_no_role(stored):
    """That it made calls is not denied, nor said that it needs nothing."""
    db = stored("refused.db", [Called(WEB, "GET", "/api/v1/secrets", 403, 2)])
    answer = run("rbac", "--db", db, "--service-account", "shop/web")
    assert answer.exit_code == ExitCode.OK
    assert roles(answer.stdout) == []
    assert "# all its calls were refused" in answer.stdout
    assert "# nothing that it did can be allowed by a role" in answer.stdout


@pytest.mark.parametrize("account", ["web", "a/b/c", "/web", "shop/"])
def test_a_service_account_without_its_namespace_is_a_usage_error(shop, account):
    """The message shows the form that is expected."""
    answer = run("rbac", "--db", shop, "--service-account", account)
    assert answer.exit_code == ExitCode.USAGE
    assert "NAMESPACE/NAME" in answer.stderr


def opened(number, uri, **more):
    """An event of an audit log: the answer has begun and has not ended."""
    event = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": f"id-{number}", "stage": "ResponseStarted",
        "requestURI": uri, "verb": "watch", "user": {"username": "system:serviceaccount:shop:web"},
        "responseStatus": {"code": 200}, "userAgent": "web/2.1",
        "requestReceivedTimestamp": "2026-06-01T09:00:00.000000Z", "stageTimestamp": "2026-06-01T09:00:00.100000Z",
    }  # fmt: skip
    return json.dumps(event | more) + "\n"


def test_an_open_watch_needs_its_right(tmp_path):
    """A watch whose end the audit log does not show gets its role, narrowed by name on request, and is no call."""
    log, db = tmp_path / "audit.log", tmp_path / "open.db"
    pods = "/api/v1/namespaces/shop/pods?watch=1"
    log.write_text(opened(1, pods + "&fieldSelector=metadata.name%3Dweb-1"))
    assert run("import", log, "--db", db, "--spec", "1.36").exit_code == ExitCode.OK
    (role,) = roles(run("rbac", "--db", db, "--service-account", "shop/web").stdout)
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["watch"]}]
    (role,) = roles(run("rbac", "--db", db, "--resource-names").stdout)
    assert role["rules"][0]["resourceNames"] == ["web-1"]
    assert run("coverage", "--db", db).stdout.startswith("No calls are recorded")
    log.write_text(opened(2, pods) + opened(3, pods, stage="ResponseComplete"))
    assert run("import", log, "--db", db, "--spec", "1.36").exit_code == ExitCode.OK
    (role,) = roles(run("rbac", "--db", db, "--resource-names").stdout)
    assert "resourceNames" not in role["rules"][0]


def test_manifests_go_to_a_file(shop, tmp_path):
    """--output-file writes what standard output would get."""
    file = tmp_path / "roles.yaml"
    assert run("rbac", "--db", shop, "--output-file", file).output == ""
    assert roles(file.read_text())
