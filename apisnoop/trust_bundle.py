"""The certificate authorities a pod shall trust, as one PEM text.

In own-CA mode each namespace with opted-in pods gets such a bundle: the cluster's authorities and ours. Text in, text
out: nothing here parses X.509, so that the core needs no cryptography; whether a bundle accepts a certificate is for
those to try who hold one.
"""

import re

from apisnoop.errors import ApisnoopError

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s*([A-Za-z0-9+/=\s]+?)-----END \1-----")
_COLUMNS = 64


def merge_authorities(*bundles: str) -> str:
    """Give every certificate of the PEM texts once, in their order, in one canonical form.

    Same certificates, same text: whoever writes it can compare. Comments between certificates are dropped. Raises
    ApisnoopError when a bundle holds no certificate, or anything but certificates: a key must not get into a ConfigMap.
    """
    certificates: dict[str, None] = {}
    for bundle in bundles:
        blocks = _BLOCK.findall(bundle)
        if not blocks:
            raise ApisnoopError("a bundle of authorities holds no certificate; see `kubectl get cm kube-root-ca.crt`")
        for kind, body in blocks:
            if kind != "CERTIFICATE":
                raise ApisnoopError(f"a bundle of authorities holds a {kind}; only certificates may be in it")
            certificates["".join(body.split())] = None
    return "".join(_certificate(body) for body in certificates)


def _certificate(body: str) -> str:
    lines = [body[start : start + _COLUMNS] for start in range(0, len(body), _COLUMNS)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
