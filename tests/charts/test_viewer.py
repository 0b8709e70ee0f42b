"""The viewer as its users have it: installed by the chart, reached by `kubectl port-forward`, looked at in Chromium."""

import base64

import pytest

from apisnoop.node.wanted import WAIT_CONTAINER
from tests.addons.web.person import Person, chromium
from tests.charts.installation import HOME, until
from tests.charts.planted import BUSY, ENCODED, PLANTED, TOKEN, assert_nothing_leaks, plant

pytestmark = [pytest.mark.cluster, pytest.mark.browser]

PORT = 8081
LOOK_AROUND = """
id -u
ls -d /var/run/secrets/kubernetes.io /run/apisnoop /etc/apisnoop/tls /var/lib/apisnoop 2>/dev/null
ls /etc/apisnoop/mitmweb /run/apisnoop-ui
for folder in / /tmp /run/apisnoop-ui /etc/apisnoop/mitmweb; do touch $folder/x 2>/dev/null && echo wrote $folder; done
env | grep -i -e token -e password= -e secret
echo done
"""


@pytest.fixture
def looked_at(installed, two_nodes, a_namespace):
    """Have a marked pod handle secrets; give its namespace, node and token."""
    where = a_namespace()
    plant(two_nodes, where)
    token = two_nodes.kubectl("exec", BUSY, "--namespace", where, "--", "cat", TOKEN)
    return where, two_nodes.get("pod", BUSY, "--namespace", where)["spec"]["nodeName"], token


def test_a_person_sees_a_pods_calls_finds_no_secret_and_can_replay_nothing(installed, looked_at, tmp_path):
    """With the password from its Secret, at the agent's pod on the pod's node."""
    where, node, token = looked_at
    password = installed.cluster.get("secret", "apisnoop-mitmweb", "-n", HOME)["data"]["password"]
    agent = installed.agents()[node]
    with installed.forwarded(agent, PORT) as url, chromium(tmp_path / "profile") as browser:
        person = Person(browser, url)
        person.log_in("wrong")
        person.until_sent_away()
        person.log_in(base64.b64decode(password).decode())
        person.until_rows("> 3")

        caller = f"pod {where}/{BUSY}, app, {where}/default, kubectl"
        shown = until(lambda: _shown(person, caller))
        assert f"/api/v1/namespaces/{where}/secrets/planted" in shown[""]
        assert any("watch=true" in path for path in shown["👀"])
        assert any("/pods/other/exec" in path for path in shown["🔌"])
        person.search(f'~comment "{where}/{BUSY}, app"')
        person.until_rows("> 3")
        assert set(person.column("comment")) == {caller}
        browser.driver.save_screenshot(str(tmp_path / "list.png"))

        seen = person.all_that_can_be_seen()
        for secret in (PLANTED, ENCODED, token, token.split(".")[1]):
            assert secret not in seen

        flow = person.flows()[0]["id"]
        assert person.ask(f"flows/{flow}/replay", "POST")[0] == 403
        assert person.ask("options", "PUT")[0] == 403
        asked = person.press_replay()
        browser.driver.save_screenshot(str(tmp_path / "flow.png"))
        until(lambda: any(asked in message and "403" in message for message in browser.messages()))


def _shown(person, caller):
    """Give the paths of a caller's calls, by their marker, once there is one of each."""
    found = {"": [], "👀": [], "🔌": []}
    for flow in person.flows():
        if flow["comment"] == caller:
            found[flow["marked"]].append(flow["request"]["path"])
    return found if all(found.values()) else None


def test_what_a_pod_keeps_secret_is_in_no_log_event_or_config_map(installed, looked_at, tmp_path):
    """Nor in snapshots and what agent and proxy answer; the log of the container that was put into the pod is one."""
    where, *_ = looked_at
    assert_nothing_leaks(installed, where, WAIT_CONTAINER, tmp_path)


def test_its_container_has_neither_key_nor_token_nor_a_place_to_write(installed):
    """Of the password it has the hash, of the feed a socket; its user is nobody else's."""
    for agent in installed.agents().values():
        inside = ("exec", agent, "--namespace", HOME, "--container=mitmweb", "--", "sh", "-c", LOOK_AROUND)
        told = installed.cluster.kubectl(*inside).splitlines()
        assert told[1:] == ["/etc/apisnoop/mitmweb:", "hash", "", "/run/apisnoop-ui:", "feed.sock", "done"]
        assert int(told[0]) not in (0, *_other_users(installed, agent))
        assert installed.kubectl("logs", agent, "-c", "mitmweb").count("connected to the proxy") == 1


def _other_users(installed, agent):
    containers = installed.cluster.get("pod", agent, "-n", HOME)["spec"]["containers"]
    return [one["securityContext"]["runAsUser"] for one in containers if one["name"] != "mitmweb"]
