"""What the chart will make for the Job, with exactly the rights that certs/README.md lists, and the Job's program."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from cluster.access import Access, write_kubeconfig

README = Path(__file__).parents[2] / "certs/README.md"
ACCOUNT = "apisnoop-certs"
SECRET, CA_SECRET, CONFIG_MAP = "apisnoop-certificate", "apisnoop-ca", "apisnoop-certificate"


def rights(namespace: str) -> list[dict[str, Any]]:
    """Read the README's table; "own" is `namespace`, "all" is "" for the whole cluster."""
    rows = re.findall(r"^\| (own|all|default) \|(.*)\|$", README.read_text(), re.MULTILINE)
    assert len(rows) == 10
    cells = [(where, [cell.strip() for cell in rest.split("|")]) for where, rest in rows]
    return [
        {
            "namespace": {"own": namespace, "all": ""}.get(where, where),
            "apiGroups": [group],
            "resources": [resource],
            "verbs": verbs.split(", "),
            **({"resourceNames": names.split(", ")} if names else {}),
        }
        for where, (group, resource, names, verbs, _when, _why) in cells
    ]


class Installation:
    """One namespace with a service account for the Job, its rights, Secrets and ConfigMap."""

    def __init__(self, server: Access, namespace: str, folder: Path) -> None:
        self.server = server
        self.namespace = namespace
        self.user = f"system:serviceaccount:{namespace}:{ACCOUNT}"
        self.kubeconfig = folder / "job.kubeconfig"
        server.apply(self._list(self._objects()), namespace)
        for where, roles in self._roles().items():
            server.apply(self._list(roles), where or "default")
        token = server.service_account_token(namespace, ACCOUNT)
        ca = folder / "ca.crt"
        server.kubectl("wait", "cm/kube-root-ca.crt", "--for=create", "--timeout=60s", "--namespace", namespace)
        ca.write_text(self.config_map("kube-root-ca.crt")["ca.crt"])
        write_kubeconfig(self.kubeconfig, server.apiserver_url, ca, {"token": token})

    def run(self, *words: str, namespaced: bool = True) -> subprocess.CompletedProcess[str]:
        """Run apisnoop-certs as the Job would."""
        return subprocess.run(
            self.command(*words, namespaced=namespaced), capture_output=True, text=True, check=False, timeout=120
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start apisnoop-certs and return while it runs."""
        return subprocess.Popen(
            self.command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
        )

    def command(self, *words: str, namespaced: bool = True) -> list[str]:
        program = [sys.executable, "-c", "from apisnoop_certs.main import main; main()", *words]
        return [*program, f"--kubeconfig={self.kubeconfig}", *([f"--namespace={self.namespace}"] if namespaced else [])]

    def may_approve(self, signer: str) -> None:
        """Give the Job the right to approve for one more signer."""
        rule = {"apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "verbs": ["approve"]}
        self.server.apply(self._list(self._role(f"signer-{self.namespace}", "", [{**rule, "resourceNames": [signer]}])))

    def config_map(self, name: str = CONFIG_MAP) -> dict[str, str]:
        return self.server.get("configmap", name, "-n", self.namespace).get("data", {})

    def secret(self, name: str = SECRET) -> dict[str, str]:
        return self.server.get("secret", name, "-n", self.namespace).get("data", {})

    def requests(self) -> list[dict[str, Any]]:
        """List the CertificateSigningRequests that the Job has made and that are still there."""
        return [item for item in self.server.get("csr")["items"] if item["spec"].get("username") == self.user]

    def _objects(self) -> list[dict[str, Any]]:
        kinds = [("ServiceAccount", ACCOUNT), ("Secret", SECRET), ("Secret", CA_SECRET), ("ConfigMap", CONFIG_MAP)]
        return [{"apiVersion": "v1", "kind": kind, "metadata": {"name": name}} for kind, name in kinds]

    def _roles(self) -> dict[str, list[dict[str, Any]]]:
        """Make the roles and their bindings, by namespace; "" for the whole cluster."""
        rules: dict[str, list[dict[str, Any]]] = {}
        for row in rights(self.namespace):
            rules.setdefault(row.pop("namespace"), []).append(row)
        return {where: self._role(f"certs-{self.namespace}", where, found) for where, found in rules.items()}

    def _role(self, name: str, namespace: str, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
        prefix = "" if namespace else "Cluster"
        api = "rbac.authorization.k8s.io/v1"
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.namespace}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": f"{prefix}Role", "name": name}
        return [
            {"apiVersion": api, "kind": f"{prefix}Role", "metadata": metadata, "rules": rules},
            {
                "apiVersion": api,
                "kind": f"{prefix}RoleBinding",
                "metadata": metadata,
                "subjects": [subject],
                "roleRef": reference,
            },
        ]

    @staticmethod
    def _list(items: list[dict[str, Any]]) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "List", "items": items}
