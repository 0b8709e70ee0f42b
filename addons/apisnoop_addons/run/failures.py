"""Says in plain words why a server could not be reached, and what to do about it.

Reasons come from the operating system, from OpenSSL and from proxies, in their own words; what is not known here is
passed on as it is.
"""

from apisnoop_addons.run.servers import Server

# Part of a reason in lower case, what it means, the next step.
_KNOWN = (
    ("proxy", "", "check proxy-url in the kubeconfig, or HTTPS_PROXY"),
    ("connection refused", "refuses connections", "is it running? check server in the kubeconfig"),
    ("connect call failed", "refuses connections", "is it running? check server in the kubeconfig"),
    ("timed out", "does not answer", "check server in the kubeconfig, the network and firewalls"),
    ("timeout", "does not answer", "check server in the kubeconfig, the network and firewalls"),
    ("unreachable", "cannot be reached from here", "check server in the kubeconfig, the network and VPNs"),
    ("no route to host", "cannot be reached from here", "check server in the kubeconfig, the network and VPNs"),
    ("name or service not known", "has a name that nobody knows", "check server in the kubeconfig, and DNS"),
    ("name resolution", "has a name that cannot be looked up now", "check DNS"),
    ("no address associated", "has a name without an address", "check server in the kubeconfig, and DNS"),
    ("certificate has expired", "shows a certificate that has expired", "renew it on the server"),
    ("not yet valid", "shows a certificate that is not valid yet", "compare the clocks of both machines"),
    ("hostname mismatch", "shows a certificate for another name", "set tls-server-name in the kubeconfig"),
    ("ip address mismatch", "shows a certificate for another address", "set tls-server-name in the kubeconfig"),
    (
        "certificate verify failed",
        "shows a certificate that the kubeconfig does not trust",
        "check certificate-authority in the kubeconfig",
    ),
)


def explain_failure(server: Server, reason: str) -> str:
    """Return one line: the cluster, its server, what is wrong, the next step; the original reason in brackets."""
    found = next((known for known in _KNOWN if known[0] in reason.lower()), None)
    _, meaning, step = found or ("", "", "check the cluster's entry in the kubeconfig")
    what = f"{server.url} {meaning} ({reason})" if meaning else f"{server.url} cannot be reached: {reason}"
    return f"cluster {server.cluster!r}: {what}; {step}"
