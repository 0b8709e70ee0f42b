"""The viewer as its users have it: installed by the chart, reached by `kubectl port-forward`, looked at in Chromium."""

import base64

import pytest

from tests.addons.web.person import Person, chromium
from tests.charts.installation import HOME, until
from tests.charts.workloads import MARK, listed, pod

pytestmark = [pytest.mark.cluster, pytest.mark.browser]

PORT = 8081
PLANTED = "planted-51c0ffee"
ENCODED = base64.b64encode(PLANTED.encode()).decode()
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
PROGRAM = """
kubectl create secret generic planted --from-literal=key={planted} >/dev/null
kubectl get configmaps --watch >/dev/null &
kubectl exec other -- echo {planted} >/dev/null
while true; do kubectl get secret planted -o yaml >/dev/null; sleep 0.5; done
"""
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
    """Have a marked pod handle a secret, watch, and open a shell in another; give its namespace, node and token."""
    where = a_namespace()

    def kubectl(*words, **how):
        return two_nodes.kubectl(*words[:1], "--namespace", where, *words[1:], **how)

    kubectl("create", "rolebinding", "all", "--clusterrole=admin", f"--serviceaccount={where}:default")
    kubectl("apply", "--filename=-", stdin=listed(pod("other", _spec("exec sleep infinity"))))
    kubectl("wait", "pod/other", "--for=condition=Ready", "--timeout=60s")
    kubectl("apply", "--filename=-", stdin=listed(pod("busy", _spec(PROGRAM.format(planted=PLANTED)), **MARK)))
    kubectl("wait", "pod/busy", "--for=condition=Ready", "--timeout=60s")
    node = two_nodes.get("pod", "busy", "--namespace", where)["spec"]["nodeName"]
    return where, node, kubectl("exec", "busy", "--", "cat", TOKEN)


def _spec(program):
    command = ["sh", "-c", program]
    app = {"name": "app", "image": "local/kubectl:1", "imagePullPolicy": "Never", "command": command}
    return {"containers": [app], "terminationGracePeriodSeconds": 0}


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

        caller = f"pod {where}/busy, app, {where}/default, kubectl"
        shown = until(lambda: _shown(person, caller))
        assert f"/api/v1/namespaces/{where}/secrets/planted" in shown[""]
        assert any("watch=true" in path for path in shown["👀"])
        assert any("/pods/other/exec" in path for path in shown["🔌"])
        person.search(f'~comment "{where}/busy, app"')
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
        assert any(asked in message and "403" in message for message in browser.messages())


def _shown(person, caller):
    """Give the paths of a caller's calls, by their marker, once there is one of each."""
    found = {"": [], "👀": [], "🔌": []}
    for flow in person.flows():
        if flow["comment"] == caller:
            found[flow["marked"]].append(flow["request"]["path"])
    return found if all(found.values()) else None


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
