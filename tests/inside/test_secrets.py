"""Secrets that a recorded pod uses are nowhere in what agent and proxy keep, write and say."""

from __future__ import annotations

import base64
import json
import secrets
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from e2e.kubectl_steps import WEB
from e2e.needles import found_in
from e2e.planting import MARKER, NAMES
from e2e.robot import write_kubeconfig
from tests.inside.pods import CLIENTS, python_volumes
from tests.inside.seen import Tap

pytestmark = pytest.mark.cluster

TESTS = Path(__file__).parents[1]
PYTHON = sys.executable
API = "https://10.96.0.1"


@pytest.fixture(scope="module")
def planted(module_shop, tmp_path_factory):
    """Use every secret once from a recorded pod; give them, and all in which they must not be, by name."""
    shop, folder = module_shop, tmp_path_factory.mktemp("planted")
    cluster, installation, space = shop.cluster, shop.installation, ("--namespace", shop.namespace)
    cluster.kubectl("apply", "--filename", WEB, *space)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *space)
    target = cluster.kubectl("get", "pod", "-lapp=web", "-o", "jsonpath={.items[0].metadata.name}", *space)
    values = {name: f"planted-{secrets.token_hex(12)}" for name in NAMES}
    plan = {"secrets": values, "pod": target, "namespace": shop.namespace, "kubectl": "kubectl", "clients": CLIENTS}
    (folder / "plan.json").write_text(json.dumps(plan))
    authority = base64.b64encode(cluster.ca_file.read_bytes()).decode()
    where = {"server": API, "certificate-authority-data": authority}
    write_kubeconfig(folder / "kubeconfig", shop.namespace, where, {"token": shop.robot.token})
    cluster.kubectl("create", "secret", "generic", "plan", f"--from-file={folder}", *space)
    pod = shop.recorded_pod("planter", volumes={"/plan": {"secret": {"secretName": "plan"}}, **python_volumes()})
    settings = ("KUBECONFIG=/plan/kubeconfig", "KUBECACHEDIR=/tmp", f"PYTHONPATH={TESTS}")

    def plant():
        since = time.time()
        with Tap(installation) as tap:
            issued = pod.run("env", *settings, PYTHON, "-m", "e2e.planting", "/plan/plan.json").strip()
            return issued, shop.compare(tap, since=since), tap.lines()

    issued, truth, calls = installation.undisturbed(pod, folder, plant)
    assert not truth.agreement.missing, str(truth.agreement)
    assert not truth.agreement.extra, str(truth.agreement)
    assert {one.event.user for one in truth.agreement.different} <= {"system:anonymous"}  # with a name and a password
    values |= {"bearer-token": shop.robot.token, "issued-token": issued}
    values |= {f"signature of {name}": values[name].rsplit(".", 1)[1] for name in ("bearer-token", "issued-token")}
    snapshot = installation.snapshot(folder / "snapshot.db")
    with closing(sqlite3.connect(snapshot)) as database:
        dump = "\n".join(database.iterdump()).encode()
    return values, {
        "calls": calls,
        "snapshot": snapshot.read_bytes(),
        "store as SQL": dump,
        "proxy's status": installation.ask("/status"),
        **{path.name: path.read_bytes() for path in installation.store.parent.iterdir() if path.is_file()},
        **{process.log.name: process.log.read_bytes() for process in (installation.agent, installation.proxy)},
        "Events": cluster.kubectl("get", "events", "--all-namespaces", "-o", "json").encode(),
        "ConfigMaps": cluster.kubectl("get", "configmaps", "--namespace=apisnoop", "-o", "json").encode(),
    }


def test_no_secret_is_anywhere(planted):
    """Raw or encoded, whole: not in the store, snapshots, calls, logs, Events or ConfigMaps."""
    values, everything = planted
    leaks = {
        (where, name): forms
        for where, content in everything.items()
        for name, secret in values.items()
        if (forms := found_in(content, secret))
    }
    assert leaks == {}


@pytest.mark.parametrize("where", ["calls", "snapshot", "store as SQL", "apisnoop.db"])
def test_a_name_that_may_be_kept_is_found(where, planted):
    """The same search finds the name of an object, so it looks in the right places."""
    _, everything = planted
    found = everything[where] + everything.get(f"{where}-wal", b"")
    assert found_in(found, MARKER)
