"""Why a server could not be reached, in plain words."""

import pytest

from apisnoop_addons.run.failures import explain_failure
from apisnoop_addons.run.servers import server_of

SERVER = server_of("prod", {"server": "https://api.example.com:6443"}, {})


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("[Errno 111] Connect call failed ('10.0.0.1', 6443)", "refuses connections ([Errno 111] Connect call failed"),
        ("timed out", "does not answer (timed out); check server in the kubeconfig, the network"),
        ("[Errno -2] Name or service not known", "has a name that nobody knows"),
        ("Certificate verify failed: certificate has expired", "shows a certificate that has expired"),
        ("Certificate verify failed: IP address mismatch", "set tls-server-name"),
        ("Certificate verify failed: unable to get local issuer certificate", "check certificate-authority in"),
        ("proxy p:3128 answered 407: Connection refused", "cannot be reached: proxy p:3128 answered 407"),
        ("something new", "cannot be reached: something new; check the cluster's entry in the kubeconfig"),
    ],
)
def test_the_reason_is_told_with_the_next_step(reason, told):
    """Cluster and server are named, the words of the system are kept."""
    line = explain_failure(SERVER, reason)
    assert line.startswith("cluster 'prod': https://api.example.com:6443 ")
    assert told in line
    assert reason in line
    assert "\n" not in line
