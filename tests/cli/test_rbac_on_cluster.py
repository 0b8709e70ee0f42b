"""The roles of `apisnoop rbac` on a real API server: enough for the same workload, too little with one verb less."""

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml

from e2e.conftest import client_environment
from e2e.ways import direct, through
from tests.cli.reporting import run

pytestmark = pytest.mark.cluster

MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
REFUSED = 403
SECONDS = 30.0
"""Most time that the server's authorizer may take to hear of new roles; in practice a few milliseconds."""


def manifest(version, kind, name="", **fields):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **fields}


def calls(namespace, other):
    """Give method, path, body and content type of each call: every verb, every kind of resource, twice the same."""
    here, there = f"/api/v1/namespaces/{namespace}", f"/api/v1/namespaces/{other}"
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{other}/leases"
    deployment = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "none"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": pod}
    one = "fieldSelector=metadata.name%3Dsettings&timeoutSeconds=1"
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    return [
        ("GET", "/version", None, ""),
        ("GET", "/apis/apps/v1", None, ""),
        ("GET", "/metrics", None, ""),
        ("POST", f"{here}/configmaps", manifest("v1", "ConfigMap", "settings"), ""),
        ("GET", f"{here}/configmaps/settings", None, ""),
        ("GET", f"{here}/configmaps", None, ""),
        ("GET", f"{here}/configmaps?watch=1&{one}", None, ""),
        ("PATCH", f"{here}/configmaps/settings", {"data": {"key": "value"}}, MERGE),
        ("DELETE", f"{here}/configmaps/settings", None, ""),
        ("PATCH", f"{there}/limitranges/made?fieldManager=test", manifest("v1", "LimitRange", "made"), APPLY),
        ("DELETE", f"{there}/limitranges/made", None, ""),
        ("PUT", f"{leases}/web", manifest("coordination.k8s.io/v1", "Lease", "web"), ""),
        ("PUT", f"{leases}/web", manifest("coordination.k8s.io/v1", "Lease", "web"), ""),
        ("DELETE", leases, None, ""),
        ("POST", deployment, manifest("apps/v1", "Deployment", "web", spec=spec), ""),
        ("GET", f"{deployment}/web/scale", None, ""),
        ("PATCH", f"{deployment}/web/scale", {"spec": {"replicas": 0}}, MERGE),
        ("DELETE", f"{deployment}/web", None, ""),
        ("POST", f"{here}/serviceaccounts/default/token", token, ""),
        ("GET", f"{here}/pods/none/log", None, ""),
        ("GET", here, None, ""),
        ("GET", "/api/v1/nodes", None, ""),
        ("GET", "/api/v1/services?limit=1", None, ""),
        ("GET", f"{here}/services", None, ""),
    ]


@dataclass
class Workload:
    """A program that calls the API as one service account, the same calls each time."""

    url: str
    context: ssl.SSLContext
    token: str = field(repr=False)
    calls: list[tuple[str, str, object, str]]

    def statuses(self) -> list[int]:
        """Make every call and give the statuses answered."""
        return [self.status(*call) for call in self.calls]

    def status(self, method: str, path: str, body: object = None, content_type: str = "") -> int:
        """Make one call and give the status answered."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type or "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data, headers, method=method)
        try:
            with urlopen(request, context=self.context, timeout=SECONDS) as answer:
                answer.read()
                return answer.status
        except HTTPError as error:
            with error:
                error.read()
            return error.code

    def upgrade(self, path: str) -> int:
        """Ask for a WebSocket and give the status answered; what would come by it is not waited for."""
        host, _, port = self.url.removeprefix("https://").rpartition(":")
        asked_for = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Protocol": "v5.channel.k8s.io"}
        key = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # of RFC 6455
        with closing(HTTPSConnection(host.strip("[]"), int(port), timeout=SECONDS, context=self.context)) as connection:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}", **asked_for, **key})
            return connection.getresponse().status

    def may(self, attributes: dict[str, str], group: str = "resourceAttributes") -> bool:
        """Ask the server whether the service account may do something."""
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        request = Request(
            f"{self.url}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            json.dumps({**review, "spec": {group: attributes}}).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urlopen(request, context=self.context, timeout=SECONDS) as answer:
            return bool(json.load(answer)["status"]["allowed"])


@pytest.fixture
def other(api_server, namespace) -> Iterator[str]:
    """A second namespace that the workload works in."""
    name = f"{namespace[:55]}-other"
    api_server.kubectl("create", "namespace", name)
    yield name
    api_server.kubectl("delete", "namespace", name, "--wait=false")


def make_worker(server, namespace, made_calls=()) -> Workload:
    """Make the service account `worker`, which may do nothing yet."""
    server.kubectl("create", "serviceaccount", "worker", "-n", namespace)
    context = ssl.create_default_context(cafile=str(server.ca_file))
    return Workload(server.apiserver_url, context, server.service_account_token(namespace, "worker"), list(made_calls))


@contextmanager
def everything_allowed(server, namespace, workload):
    """Let the worker do everything in the block, and nothing any more after it."""
    binding = f"{namespace}-everything"
    server.kubectl(
        "create", "clusterrolebinding", binding, "--clusterrole=cluster-admin", f"--serviceaccount={namespace}:worker"
    )
    anything = {"verb": "*", "group": "*", "resource": "*"}
    wait_until(lambda: workload.may(anything))
    yield
    server.kubectl("delete", "clusterrolebinding", binding)
    wait_until(lambda: not workload.may(anything))


@pytest.fixture
def workload(api_server, namespace, other) -> Workload:
    """The workload of a new service account that may do nothing yet."""
    return make_worker(api_server, namespace, calls(namespace, other))


@pytest.fixture
def statuses(api_server, namespace, workload) -> list[int]:
    """What the workload is answered while it may do everything, which it may no more when the test starts."""
    with everything_allowed(api_server, namespace, workload):
        return workload.statuses()


@pytest.fixture
def recorded(api_server, namespace, statuses, tmp_path) -> Path:
    """A store of what the API server's audit log says the workload did, refused calls of other tests apart."""
    user = f"system:serviceaccount:{namespace}:worker"
    log = tmp_path / "audit.log"
    with log.open("w") as out:
        out.writelines(line for line in api_server.audit_log.read_text().splitlines(keepends=True) if user in line)
    db = tmp_path / "worker.db"
    assert run("import", log, "--db", db).exit_code == 0
    return db


@contextmanager
def roles_of(server, documents, workload):
    """Apply the roles among manifests, their bindings too, and wait until the server's authorizer has heard of them.

    Gives the roles, and what applies a changed one; all are deleted afterwards.
    """

    def apply(*changed):
        server.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(changed))

    apply(*documents)
    roles = [found for found in documents if "rules" in found]
    for role in roles:
        for rule in role["rules"]:
            question = asked(rule, rule["verbs"][-1], role["metadata"].get("namespace", ""))
            wait_until(lambda question=question: workload.may(*question))
    try:
        yield roles, apply
    finally:
        kinds = "clusterroles,clusterrolebindings,roles,rolebindings"
        server.kubectl("delete", kinds, "-A", "-l", "app.kubernetes.io/managed-by=apisnoop", "--wait=true")


def take_each_verb_away(roles, apply, workload, refused) -> int:
    """Take away one verb at a time, which must make something fail each time; return how many there were."""
    tried = 0
    for role in roles:
        for less, question in with_one_verb_less(role):
            apply(less)
            wait_until(lambda question=question: not workload.may(*question))
            assert refused(), f"{question} was not needed"
            apply(role)
            wait_until(lambda question=question: workload.may(*question))
            tried += 1
    return tried


def wait_until(condition):
    """Ask again until a condition holds; there is no event for what an authorizer has heard."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "the authorizer has not heard of the change"
        time.sleep(0.01)


def asked(rule, verb, namespace):
    """Give what to ask the server to learn whether a rule's verb is allowed now."""
    if "nonResourceURLs" in rule:
        return {"path": rule["nonResourceURLs"][0], "verb": verb}, "nonResourceAttributes"
    resource, _, subresource = rule["resources"][0].partition("/")
    attributes = {"group": rule["apiGroups"][0], "resource": resource, "subresource": subresource, "verb": verb}
    name = rule.get("resourceNames", [""])[0]
    return {**attributes, "namespace": namespace, "name": name}, "resourceAttributes"


def with_one_verb_less(role):
    """Give the role once for each of its rules' verbs, without that verb."""
    for place, rule in enumerate(role["rules"]):
        for verb in rule["verbs"]:
            less = deepcopy(role)
            less["rules"][place]["verbs"].remove(verb)
            if not less["rules"][place]["verbs"]:
                del less["rules"][place]
            yield less, asked(rule, verb, role["metadata"].get("namespace", ""))


def written_for(namespace, db, *options):
    """Run `apisnoop rbac` for the worker and give the manifests that it writes."""
    text = run("rbac", "--db", db, "--service-account", f"{namespace}/worker", *options).stdout
    return [found for found in yaml.safe_load_all(text) if found]


@pytest.mark.parametrize("options", [[], ["--resource-names"]])
def test_the_workload_runs_under_its_least_roles_and_breaks_with_one_verb_less(
    api_server, recorded, workload, statuses, namespace, options
):
    """Under the roles written every answer is the same as with all rights; without any one verb a call is refused."""
    assert REFUSED not in statuses
    with roles_of(api_server, written_for(namespace, recorded, *options), workload) as (roles, apply):
        assert workload.statuses() == statuses
        tried = take_each_verb_away(roles, apply, workload, lambda: REFUSED in workload.statuses())
        assert tried >= 15
        assert workload.statuses() == statuses


SHELL = """
"$1" exec web -- echo from the pod && "$1" --user=boss --as="$2" get configmaps -o name
"""
SHELL_SAYS = b"from the pod\nconfigmap/kube-root-ca.crt\n"
SWITCHED = 101


@pytest.fixture
def pod(cluster, namespace) -> str:
    """A pod to open shells in."""
    image = ("--image=local/busybox:1", "--image-pull-policy=Never", "--restart=Never")
    cluster.kubectl("run", "web", *image, "-n", namespace, "--", "sleep", "1000")
    cluster.kubectl("wait", "pod/web", "--for=condition=Ready", "--timeout=60s", "-n", namespace)
    return "web"


@pytest.fixture
def environment(cluster, namespace, tmp_path, shell_worker):
    """The environment of clients that are the worker, or boss, who may do everything, in anybody's name, too."""
    boss = cluster.client_certificate("boss", ["system:masters"])
    users = {
        "worker": {"token": shell_worker.token},
        "boss": {"client-certificate": str(boss.certificate), "client-key": str(boss.key)},
    }
    entry = {"server": cluster.apiserver_url, "certificate-authority": str(cluster.ca_file)}
    context = {"cluster": "c", "user": "worker", "namespace": namespace}
    config = {
        "clusters": [{"name": "c", "cluster": entry}],
        "users": [{"name": name, "user": user} for name, user in users.items()],
        "contexts": [{"name": "c", "context": context}],
        "current-context": "c",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return client_environment(path, tmp_path)


@pytest.fixture
def shell_worker(cluster, namespace) -> Workload:
    """The service account that opens shells."""
    return make_worker(cluster, namespace)


def test_shells_and_calls_in_its_name_run_under_the_role_of_a_service_account(
    cluster, namespace, pod, shell_worker, environment, tmp_path
):
    """What kubectl did as the worker (exec by WebSocket) and boss in its name (--as) is the worker's, and no more."""
    command = ("sh", "-c", SHELL, "sh", str(cluster.kubectl_path), f"system:serviceaccount:{namespace}:worker")
    kubectl = direct(environment)
    exec_path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec?command=true&stdout=true"

    def fails() -> bool:
        # kubectl hides a refused WebSocket: it opens the shell by SPDY, a POST, which needs the verb create only.
        return kubectl.run(*command).stdout != SHELL_SAYS or shell_worker.upgrade(exec_path) != SWITCHED

    with everything_allowed(cluster, namespace, shell_worker):
        through(environment, tmp_path).run(*command)
    with roles_of(cluster, written_for(namespace, tmp_path / "apisnoop.db"), shell_worker) as (roles, apply):
        rules = [rule for role in roles for rule in role["rules"]]
        rights = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
        assert rights == {("pods", "get"), ("pods/exec", "get"), ("pods/exec", "create"), ("configmaps", "list")}
        assert not fails()
        assert take_each_verb_away(roles, apply, shell_worker, fails) == len(rights)
