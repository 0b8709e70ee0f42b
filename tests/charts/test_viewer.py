"""The viewer as its users have it: installed by the chart, reached by `kubectl port-forward`, looked at in Chromium."""

import base64
import json

import pytest

from e2e.needles import found_in
from tests.addons.web.person import Person, chromium
from tests.charts.installation import AGENT_PORT, HOME, PROXY_PORT, until
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
        until(lambda: any(asked in message and "403" in message for message in browser.messages()))


def _shown(person, caller):
    """Give the paths of a caller's calls, by their marker, once there is one of each."""
    found = {"": [], "👀": [], "🔌": []}
    for flow in person.flows():
        if flow["comment"] == caller:
            found[flow["marked"]].append(flow["request"]["path"])
    return found if all(found.values()) else None


def test_what_a_pod_keeps_secret_is_in_no_log_event_or_config_map(installed, looked_at, tmp_path):
    """Neither do snapshots and what agent and proxy answer hold it; names that may be kept are found there."""
    where, node, token = looked_at
    kinds = {"readCoreV1NamespacedSecret", "connectCoreV1GetNamespacedPodExec", "listCoreV1NamespacedConfigMap"}
    until(lambda: kinds <= {key[3] for key in installed.calls_of(tmp_path, where)})
    said = everything_said(installed, node, tmp_path)
    assert len([place for place in said if place.startswith("log")]) > 8  # two nodes of three containers; webhook, Job
    leaks = {
        (place, name): forms
        for place, text in said.items()
        for name, secret in {"Secret": PLANTED, "token": token, "claims": token.split(".")[1]}.items()
        if (forms := found_in(text, secret))
    }
    assert leaks == {}
    webhook = b"".join(text for place, text in said.items() if "webhook" in place)
    for text in (webhook, said["Events"], said["snapshot"], said["status of the agent"], said["status of the proxy"]):
        assert found_in(text, "busy")


def everything_said(installed, node, folder):
    """Gather all that our containers have written and what there is of it in the cluster, by where it is."""
    pods = json.loads(installed.kubectl("get", "pods", "-o", "json"))["items"]
    containers = [(pod["metadata"]["name"], one["name"]) for pod in pods for one in pod["spec"]["containers"]]
    everywhere = ("--all-namespaces", "--output=json")
    agent = installed.agents()[node]
    return {
        **{f"log of {pod}, {one}": installed.kubectl("logs", pod, "-c", one).encode() for pod, one in containers},
        "Events": installed.cluster.kubectl("get", "events", *everywhere).encode(),
        "ConfigMaps": installed.cluster.kubectl("get", "configmaps", *everywhere).encode(),
        "status of the agent": installed.ask(agent, AGENT_PORT, "/status"),
        "status of the proxy": installed.ask(agent, PROXY_PORT, "/status"),
        "snapshot": installed.ask(agent, PROXY_PORT, "/snapshot"),
    }


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
