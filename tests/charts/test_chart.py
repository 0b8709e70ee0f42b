"""The chart: rendered for each mode, held against the components' own tables, and accepted by a real API server."""

import base64
import json
import re
import subprocess
import tomllib
from datetime import timedelta
from functools import cache, reduce
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

import apisnoop
from apisnoop.fleet.remains import BUNDLE
from apisnoop_certs.command import issue, renew
from apisnoop_certs.policy import Tie, policy_objects
from apisnoop_certs.server_names import server_names
from apisnoop_certs.settings import requests_named
from apisnoop_webhook.command import serve
from apisnoop_webhook.configuration import OWN_AUTHORITY
from apisnoop_webhook.containers import init_container
from apisnoop_webhook.settings import Injection, Interception
from cluster import binaries
from tests.charts.fields import is_known, strangers

pytestmark = pytest.mark.cluster  # helm comes with the test cluster's programs

ROOT = Path(__file__).parent.parent.parent
CHART = ROOT / "charts" / "apisnoop"
GOLDEN = Path(__file__).parent / "golden"
MODES = {
    "default": (),
    "csr": ("certificate.mode=csr", "certificate.addresses[0]=10.96.0.1", "certificate.addresses[1]=fd00:10:96::1"),
    "own-ca": ("certificate.mode=own-ca",),
    "manual-renewal": ("certificate.renewal=manual",),
    "without-webhook": ("webhook.enabled=false",),
    "cert-manager": ("webhook.certManager.enabled=true",),
    "network-policy": ("networkPolicy.enabled=true", "metrics.enabled=true"),
    "service-monitor": ("metrics.enabled=true", "metrics.serviceMonitor.enabled=true", "metrics.address=::"),
    "scripts": ("addons.scripts.mark\\.py=def requestheaders(flow): pass",),
    # A Secret of one's own: the chart's has a random password.
    "mitmweb": ("mitmweb.enabled=true", "mitmweb.bodies=true", "mitmweb.existingSecret=viewer"),
    "init": ("interception.mode=init", "recording.extraDestinations[0]=10.0.0.1:443", "networkPolicy.enabled=true"),
    "digests": (f"image.core.digest=sha256:{'a' * 64}", f"image.proxy.digest=sha256:{'b' * 64}"),
}
SERVICE_ACCOUNTS = "system:serviceaccount:apisnoop:apisnoop-"


def helm(*arguments):
    """Run helm, without a cluster."""
    program = binaries.build(binaries.HELM) / "helm"
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


@cache
def rendered(settings=()):
    """Render the chart as text."""
    given = [f"--set={setting}" for setting in settings]
    answer = helm("template", "apisnoop", CHART, "--namespace=apisnoop", "--kube-version=1.30.0", *given)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def objects(settings=()):
    """Render the chart as objects."""
    return [thing for thing in yaml.load_all(rendered(settings), yaml.CSafeLoader) if thing]


def find(things, kind, name):
    """Find an object."""
    return next(one for one in things if one["kind"] == kind and one["metadata"]["name"] == name)


def pod_specs(things, count=5):
    """Give every pod that the objects make, by the name of its maker."""
    specs = {}
    for thing in things:
        job = thing["spec"]["jobTemplate"] if thing["kind"] == "CronJob" else thing
        template = thing if thing["kind"] == "Pod" else job.get("spec", {}).get("template")
        if template:
            specs[thing["metadata"]["name"]] = template["spec"]
    assert len(specs) == count
    return specs


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_renders_what_a_person_looked_at(request, mode):
    """Whatever changes in a rendered object is seen in its golden file."""
    text, path = rendered(MODES[mode]), GOLDEN / f"{mode}.yaml"
    if request.config.getoption("--regenerate"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{path.name} differs: look at it, then pytest --regenerate"


@pytest.mark.parametrize("mode", MODES)
def test_the_lowest_supported_kubernetes_has_every_field(mode):
    """A field that came later than 1.30, or a value of another type, would be refused or dropped there."""
    things = [one for one in yaml.safe_load_all((GOLDEN / f"{mode}.yaml").read_text()) if one and is_known(one)]
    assert len(things) > 20
    assert [path for one in things for path in strangers(one)] == []


def test_a_field_of_a_later_kubernetes_is_found():
    """So is a number where a word is expected."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 1}, "spec": {"resources": {}, "hostPID": True}}
    assert strangers(pod) == ["Pod.metadata.name is int, not string", "Pod.spec.resources"]


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


def test_chart_and_program_have_one_version():
    """The images' tag is the chart's appVersion."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == apisnoop.__version__


def test_every_program_the_chart_starts_is_a_console_script():
    """A container whose command does not exist never starts."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for spec in pod_specs(objects()).values():
        for container in spec["containers"]:
            program, *rest = container["command"]
            assert program in scripts or (program == "python3" and find_spec(rest[1]))


@pytest.mark.parametrize(
    ("name", "program"), [("apisnoop-webhook", serve), ("apisnoop-certs-1", issue), ("apisnoop-certs-renew", renew)]
)
def test_every_argument_is_an_option_of_its_program(name, program):
    """A container that is given an option which does not exist ends at once."""
    settings = ("certificate.domain=cluster.example", "certificate.extraNames[0]=api.example.com")
    arguments = pod_specs(objects(settings))[name]["containers"][0]["args"]
    known = {option for parameter in program.params for option in parameter.opts}
    assert {argument.partition("=")[0] for argument in arguments} <= known


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


def test_only_the_agent_has_privileges():
    """Every other container runs as nobody, without capabilities, on a read-only root."""
    for name, spec in pod_specs(objects()).items():
        assert spec.get("hostPID", False) is (name == "apisnoop-agent")
        assert not spec.get("hostNetwork")
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"]
            assert context["privileged"] is False
            if container["name"] != "agent":
                assert context["runAsNonRoot"]
                assert context["capabilities"] == {"drop": ["ALL"]}


def test_in_mode_init_nothing_has_privileges():
    """Not even the agent, and it shares neither processes nor network with its node."""
    for spec in pod_specs([one for one in objects(MODES["init"]) if one["kind"] != "Pod"], count=4).values():
        assert not any(spec.get(word) for word in ("hostPID", "hostNetwork", "hostIPC"))
        for container in spec["containers"]:
            assert container["securityContext"]["runAsNonRoot"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert not any("hostPort" in port for port in container.get("ports", ()))


def test_mode_init_needs_the_webhook():
    """Without it no pod would ever be prepared, and nobody would know why."""
    settings = ("--set=interception.mode=init", "--set=webhook.enabled=false")
    assert "webhook.enabled" in helm("template", "apisnoop", CHART, "--kube-version=1.30.0", *settings).stderr


def test_in_mode_init_the_test_pod_is_what_the_webhook_makes_of_others():
    """Nobody asks about pods of our own namespace, so the chart prepares its pod itself."""
    (rendered_pod,) = (one for one in objects(MODES["init"]) if one["kind"] == "Pod")
    (ours,) = rendered_pod["spec"]["initContainers"]
    injected = init_container(Injection(image=ours["image"], interception=Interception.INIT), {"containers": []})
    assert ours == {key: value for key, value in injected.items() if key != "args"}


def test_no_folder_of_the_node_is_mounted():
    """The agent goes through /proc; a hostPath would outlast the uninstallation."""
    for spec in pod_specs(objects()).values():
        assert not any("hostPath" in volume for volume in spec.get("volumes", ()))


def mounting(spec, key):
    """Name the containers of a pod that mount a Secret with that key in it."""
    volumes = {
        volume["name"]
        for volume in spec["volumes"]
        if "secret" in volume and key in {item["key"] for item in volume["secret"]["items"]}
    }
    return {one["name"] for one in spec["containers"] for mount in one["volumeMounts"] if mount["name"] in volumes}


def test_only_the_proxy_mounts_the_key():
    """The agent gets the certificate without it, nobody gets our authority."""
    spec = pod_specs(objects(MODES["mitmweb"]))["apisnoop-agent"]
    assert mounting(spec, "tls.key") == {"proxy"}
    assert mounting(spec, "tls.crt") == {"agent", "proxy"}
    assert "apisnoop-ca" not in {volume.get("secret", {}).get("secretName") for volume in spec["volumes"]}


def test_the_proxys_token_is_good_for_nothing_but_what_everybody_may():
    """It is of an account without rights; the agent's, which may look at all pods, is the agent's alone."""
    things = objects()
    spec = pod_specs(things)["apisnoop-agent"]
    (token,) = (volume for volume in spec["volumes"] if any("serviceAccountToken" in one for one in sources(volume)))
    mounts = {
        one["name"] for one in spec["containers"] for mount in one["volumeMounts"] if mount["name"] == token["name"]
    }
    assert mounts == {"agent"}
    assert mounting(spec, "token") == {"proxy"}
    named = find(things, "Secret", "apisnoop-proxy")["metadata"]["annotations"]["kubernetes.io/service-account.name"]
    assert named == find(things, "ServiceAccount", "apisnoop-proxy")["metadata"]["name"]
    assert granted(things, named) == set()


def sources(volume):
    """Give what a volume projects."""
    return volume.get("projected", {}).get("sources", [])


def test_the_viewer_gets_nothing_but_copies_and_a_hash():
    """No key, no token, no password, and a user that can read nobody else's files."""
    spec = pod_specs(objects(MODES["mitmweb"]))["apisnoop-agent"]
    viewer = next(one for one in spec["containers"] if one["name"] == "mitmweb")
    assert spec["automountServiceAccountToken"] is False
    assert [(mount["name"], mount["readOnly"]) for mount in viewer["volumeMounts"]] == [
        ("feed", True),
        ("password", True),
    ]
    assert mounting(spec, "hash") == {"mitmweb"}
    assert mounting(spec, "password") == set()
    users = {one["name"]: one["securityContext"]["runAsUser"] for one in spec["containers"]}
    assert len(set(users.values())) == 3


def test_the_viewers_password_is_made_once_and_only_hashed():
    """At random if none is given; its hash is bcrypt's."""
    secret = find(objects(("mitmweb.enabled=true",)), "Secret", "apisnoop-mitmweb")["data"]
    password, hashed = (base64.b64decode(secret[key]).decode() for key in ("password", "hash"))
    assert len(password) == 32
    assert hashed.startswith("$2a$")
    given = find(objects(("mitmweb.enabled=true", "mitmweb.password=p")), "Secret", "apisnoop-mitmweb")["data"]
    assert base64.b64decode(given["password"]) == b"p"


def test_a_changed_script_starts_the_proxies_anew():
    """They read scripts once; a script's name has to be one of Python's."""

    def pods(text):
        return find(objects((f"addons.scripts.mark\\.py={text}",)), "DaemonSet", "apisnoop-agent")["spec"]["template"]

    assert pods("a = 1")["metadata"] != pods("a = 2")["metadata"]
    assert pods("a = 1") == pods("a = 1")
    refused = helm("template", "apisnoop", CHART, "--kube-version=1.30.0", "--set=addons.scripts.mark=a")
    assert refused.returncode != 0


def test_the_agent_lets_in_the_proxys_user():
    """Both are told the same number, which is nobody else's on the node."""
    agent, proxy = pod_specs(objects())["apisnoop-agent"]["containers"]
    told = {one["name"]: one.get("value") for one in agent["env"]}
    assert int(told["APISNOOP_PROXY_UID"]) == proxy["securityContext"]["runAsUser"] != 65532


@pytest.mark.parametrize(("component", "account"), [("webhook", "webhook"), ("certs", "certs"), ("tproxy", "agent")])
def test_the_rights_are_those_of_the_components_own_table(component, account):
    """A right without a reason, or a reason without the right, is found."""
    assert granted(objects(), f"apisnoop-{account}") == tabled(ROOT / component / "README.md", component)


def granted(things, account):
    """Give the rights of a service account as (namespace, group, resource, name, verb)."""
    rights = set()
    for binding in (one for one in things if one["kind"] in {"RoleBinding", "ClusterRoleBinding"}):
        if binding["subjects"][0]["name"] != account:
            continue
        place = binding["metadata"].get("namespace", "all").replace("apisnoop", "own")
        role = next(
            one
            for one in things
            if one["kind"] == binding["roleRef"]["kind"]
            and one["metadata"]["name"] == binding["roleRef"]["name"]
            and one["metadata"].get("namespace") == binding["metadata"].get("namespace")
        )
        for rule in role["rules"]:
            rights |= {
                (place, group, resource, name, verb)
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for name in rule.get("resourceNames", [""])
                for verb in rule["verbs"]
            }
    return rights


def tabled(readme, component):
    """Read the same from the table in a component's README."""
    rows = re.findall(r"^\| (own|all|default) \|(.*)\|$", readme.read_text(), re.MULTILINE)
    rights = set()
    for place, rest in rows:
        group, resources, names, verbs = ([part.strip() for part in cell.split(",")] for cell in rest.split("|")[:4])
        rights |= {
            (place, group[0], resource, name, verb) for resource in resources for name in names for verb in verbs
        }
    assert rights, f"{component} has no table"
    return rights


def tied(names):
    """Give the specs of the policy and its binding as `apisnoop-certs policy` prints them."""
    tie = Tie(
        f"{SERVICE_ACCOUNTS}certs",
        requests_named("apisnoop"),
        ["kubernetes.io/kubelet-serving", "beta.eks.amazonaws.com/app-serving"],
        timedelta(days=7),
        names,
    )
    return {one["kind"]: one["spec"] for one in policy_objects("apisnoop-certs", tie)}


def policies(things):
    """Give the chart's."""
    kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    return {kind: find(things, kind, "apisnoop-certs")["spec"] for kind in kinds}


@pytest.mark.parametrize(
    ("domain", "addresses", "extra"),
    [
        ("", ["10.96.0.1", "10.89.0.1", "10.89.0.1"], []),
        ("corp.example", ["10.96.0.1", "fd00:10:96::1", "172.18.0.2", "2001:db8::", "::1"], ["API.Example.com."]),
        ("", ["172.20.0.1", "10.0.63.63", "api.internal", "10.0.9.1"], ["192.0.2.7", "kubernetes", "fd00::63:1"]),
        # Lengths of one, two and three bytes, and every remainder of both encodings, are in among these.
        *(("", ["10.96.0.1"], [f"{'x' * length}.example.com"]) for length in (1, 2, 3, 4, 30, 46)),
        ("", [f"10.0.0.{number}" for number in range(40)], ["a." + "b" * 60, "c" * 63]),
    ],
)
def test_the_certificate_policy_is_exact_and_the_one_its_program_prints(domain, addresses, extra):
    """Names, domain and addresses in, the same expression out, which the chart has to make without a library for it."""
    ips, hosts = ([one for one in addresses if one.endswith("internal") is names] for names in (False, True))
    slices = [{"endpoints": [{"addresses": ips}]}, {"addressType": "FQDN", "endpoints": [{"addresses": hosts}]}]
    names = server_names({"spec": {"clusterIP": ips[0]}}, slices, domain or "cluster.local", extra)
    settings = [f"certificate.domain={domain}"]
    for value, given in (("addresses", addresses), ("extraNames", extra)):
        settings += [f"certificate.{value}[{at}]={one}" for at, one in enumerate(given)]
    assert policies(objects(tuple(settings))) == tied(names)


@pytest.mark.parametrize("settings", [(), ("certificate.anyNames=true", "certificate.addresses[0]=10.96.0.1")])
def test_the_certificate_policy_leaves_names_open_where_nobody_knows_them(settings):
    """That is where Helm cannot look, or where it is asked for: as `apisnoop-certs policy --any-names` prints it."""
    assert policies(objects(settings)) == tied(None)


def test_the_api_server_asks_about_pods_that_want_it_only():
    """Every entry is for creations only, ignored when it fails, and not for kube-system or ourselves."""
    entries = find(objects(MODES["csr"]), "MutatingWebhookConfiguration", "apisnoop")["webhooks"]
    assert [one["clientConfig"]["service"]["path"] for one in entries] == ["/pods", "/namespaces"]
    for one in entries:
        assert one["failurePolicy"] == "Ignore"
        assert one["rules"][0]["operations"] == ["CREATE"]
        spared = one["namespaceSelector"]["matchExpressions"][0]["values"]
        assert {"kube-system", "apisnoop"} <= set(spared)
        assert len(one["matchConditions"]) == 2


@pytest.mark.parametrize(
    ("settings", "condition"),
    [
        (("certificate.mode=csr",), None),
        (("certificate.mode=auto",), "false"),
        (("certificate.mode=own-ca",), "true"),
        (("certificate.mode=auto", "webhook.certManager.enabled=true"), None),
        (("certificate.mode=own-ca", "webhook.certManager.enabled=true"), "true"),
        (("certificate.mode=csr", "interception.mode=init"), "true"),
    ],
)
def test_the_api_server_asks_for_owners_sake_where_only_the_webhook_can_help(settings, condition):
    """With our own authority, or in mode init; in mode auto it shows later, and the webhook says so by a condition."""
    entries = find(objects(settings), "MutatingWebhookConfiguration", "apisnoop")["webhooks"]
    paths = [one["clientConfig"]["service"]["path"] for one in entries]
    assert paths == ["/pods", "/namespaces", *([] if condition is None else ["/owners"])]
    if condition is not None:
        said = {one["name"]: one["expression"] for one in entries[-1]["matchConditions"]}
        assert said.get(OWN_AUTHORITY, "true") == condition
        assert "object.metadata.ownerReferences" in said["the-pod-has-an-owner"]


def test_what_is_only_there_for_a_test_goes_with_it():
    """Helm leaves hooks behind at uninstallation; so its rights end with the test, and are the namespace's."""
    hooks = [one for one in objects() if "helm.sh/hook" in one["metadata"].get("annotations", {})]
    assert sorted(one["kind"] for one in hooks) == ["Pod", "Role", "RoleBinding", "ServiceAccount"]
    for one in hooks:
        policy = one["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
        assert policy == "before-hook-creation" + ("" if one["kind"] == "Pod" else ",hook-succeeded")
    (pod,) = (one for one in hooks if one["kind"] == "Pod")
    assert pod["metadata"]["annotations"]["apisnoop"] == "true"
    assert "app.kubernetes.io/part-of" not in pod["metadata"]["labels"]  # else the agent would leave it alone


@pytest.mark.parametrize("mode", MODES)
def test_the_test_pod_trusts_our_own_authority_where_that_may_sign(mode):
    """It is the webhook that fills the bundle in; without one, or where only the cluster signs, there is none."""
    things = objects(MODES[mode])
    (pod,) = (one for one in things if one["kind"] == "Pod")
    (account,) = pod["spec"]["volumes"]
    trusted = [one["configMap"]["name"] for one in sources(account) if "configMap" in one]
    bundles = [BUNDLE] if mode not in {"csr", "without-webhook"} else []
    assert trusted == ["kube-root-ca.crt", *bundles]  # the later counts: the kubelet writes a file once
    assert not any("items" in one["configMap"] for one in sources(account) if "configMap" in one)
    made = [one for one in things if one["kind"] == "ConfigMap" and one["metadata"]["name"] == BUNDLE]
    assert [one["metadata"]["labels"]["app.kubernetes.io/component"] for one in made] == ["bundle"] * len(bundles)
    assert not any("data" in one for one in made)  # an upgrade would take away what the webhook has put in


OTHERS = {"cert-manager", "service-monitor"}
"""Modes with objects of other projects."""


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in OTHERS])
def test_a_real_api_server_takes_every_object_strictly(api_server, namespace, mode):
    """No unknown or doubled field, and every expression compiles."""
    things = objects(MODES[mode])
    for thing in things:
        if thing["metadata"].get("namespace") == "apisnoop":
            thing["metadata"]["namespace"] = namespace
        if thing["kind"] == "Pod":
            thing["spec"]["serviceAccountName"] = "default"  # its own would have to be there
    whole = json.dumps({"apiVersion": "v1", "kind": "List", "items": things})
    told = api_server.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", "-o", "name", stdin=whole)
    assert len(told.splitlines()) == len(things)
