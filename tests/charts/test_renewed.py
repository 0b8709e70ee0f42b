"""The certificate renewed under load: the CronJob, the Secret, the kubelet and the proxies as one."""

import base64
import json
import time
from datetime import timedelta
from ipaddress import IPv4Address

import pytest

from cluster.pki import Authority
from tests.charts.installation import until
from tests.charts.polling import answers, start_polling
from tests.charts.serials import CERTIFICATE, of_the_proxies

pytestmark = pytest.mark.cluster
LEFT = timedelta(minutes=25)
"""Of an authority that dates its certificates back by an hour: more than two thirds of such a life are over."""
JOB = "renewal"
AGENTS = ("pods", "-l", "app.kubernetes.io/component=agent")


def test_a_renewed_certificate_reaches_the_proxies_and_no_request_fails(
    installed, two_nodes, polling, a_namespace, tmp_path
):
    """New connections are shown the new one, one that is open goes on with the old one, and nothing is restarted."""
    fresh, kept = polling, a_namespace()
    start_polling(two_nodes, kept, connections="http2")
    first = of_the_proxies(installed)
    for where in (fresh, kept):
        until(lambda where=where: first in serials(two_nodes, where))
    agents, began = installed.agents(), time.time()

    let_it_be_due(installed, tmp_path)
    installed.kubectl("create", "job", JOB, "--from=cronjob/apisnoop-certs-renew")
    installed.kubectl("wait", f"job/{JOB}", "--for=condition=Complete", "--timeout=120s")
    assert "two thirds of its lifetime are over" in installed.kubectl("logs", f"job/{JOB}")
    renewed = of_the_proxies(installed)
    # The kubelet brings a Secret to a pod when it next looks at the pod: once a minute, or when the pod is changed.
    installed.kubectl("annotate", *AGENTS, f"changed={renewed}", "--overwrite")
    until(lambda: renewed in serials(two_nodes, fresh), 90)

    assert renewed != first
    since = [one for one in answers(two_nodes, kept) if one.at > began]
    assert {one.serial for one in since} == {first}
    assert len({one.opened for one in since}) == 1
    assert [one for one in since + answers(two_nodes, fresh) if not one.direct] == []
    assert installed.agents() == agents
    installed.kubectl("delete", "job", JOB)


def serials(cluster, where):
    """Name the certificates that a pod has been shown."""
    return {one.serial for one in answers(cluster, where)}


def let_it_be_due(installed, folder):
    """Put a certificate into the Secret whose time has come, signed by the cluster and for the same names."""
    verdict = json.loads(installed.kubectl("get", "configmap", CERTIFICATE, "-o", "json"))["data"]
    authority = Authority.load(installed.cluster.ca_file.parent)
    hosts = [host(name) for name in verdict["names"].split(", ")]
    aged = authority.issue(
        "aged", user="system:node:aged", groups=["system:nodes"], hosts=hosts, lifetime=LEFT, directory=folder
    )
    files = {"tls.crt": aged.certificate, "tls.key": aged.key}
    data = {name: base64.b64encode(path.read_bytes()).decode() for name, path in files.items()}
    installed.kubectl("patch", "secret", CERTIFICATE, "--type=merge", "--patch", json.dumps({"data": data}))


def host(name):
    """Make an address of what is one."""
    return IPv4Address(name) if name.replace(".", "").isdigit() else name
