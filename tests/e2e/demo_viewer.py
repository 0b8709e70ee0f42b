"""What a person sees in mitmweb, asked for over HTTP instead: a call of a pod, for whoever has the password."""

from __future__ import annotations

import base64
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import msgspec

from e2e.patience import PATIENCE
from tests.charts.installation import HOME
from tests.inside.processes import wait_until

if TYPE_CHECKING:
    from tests.charts.installation import Installation

PORT = 8081
SECRET = "apisnoop-mitmweb"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class _Request(msgspec.Struct):
    method: str
    path: str


class _Response(msgspec.Struct):
    status_code: int


class Flow(msgspec.Struct):
    """What mitmweb's list has of a call; the comment says who made it."""

    request: _Request
    response: _Response | None = None
    comment: str = ""

    def __str__(self) -> str:
        status = self.response.status_code if self.response else "(no answer yet)"
        return f"{self.request.method} {self.request.path} {status}\n  {self.comment}"


_decoder = msgspec.json.Decoder(list[Flow])


def find_call(installation: Installation, namespace: str, pod: str) -> str:
    """Log in to the viewer on a pod's node, and describe the way there and a call of the pod.

    Raises RuntimeError if a wrong password gets in, TimeoutError if there is no call of the pod.
    """
    node = installation.cluster.get("pod", pod, "--namespace", namespace)["spec"]["nodeName"]
    agent = installation.agents()[node]
    data = installation.cluster.get("secret", SECRET, "--namespace", HOME)["data"]
    password = base64.b64decode(data["password"]).decode()
    with installation.forwarded(agent, PORT) as url:
        _demand_refusal(url)
        flow = wait_until(
            lambda: _flow_of(url, password, f"pod {namespace}/{pod},"), f"a call of {pod} in mitmweb", PATIENCE
        )
    return "\n".join(
        [
            f"$ kubectl port-forward -n {HOME} pod/{agent} {PORT}",
            f"$ kubectl get secret {SECRET} -n {HOME} -o jsonpath='{{.data.password}}' | base64 --decode",
            "A wrong password is refused; with the right one the list has, among others:",
            str(flow),
        ]
    )


def _demand_refusal(url: str) -> None:
    try:
        _flows(url, "wrong")
    except urllib.error.HTTPError as error:
        if error.code != 403:
            raise
    else:
        raise RuntimeError("mitmweb lets in who has a wrong password")


def _flow_of(url: str, password: str, who: str) -> Flow | None:
    return next((flow for flow in _flows(url, password) if who in flow.comment and flow.response), None)


def _flows(url: str, password: str) -> list[Flow]:
    request = urllib.request.Request(f"{url}/flows", headers={"Authorization": f"Bearer {password}"})
    with _OPENER.open(request, timeout=PATIENCE) as answer:
        return _decoder.decode(answer.read())
