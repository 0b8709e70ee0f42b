"""What is found wrong with an installation, and what is to be done about it."""

from datetime import UTC, datetime

import msgspec
import pytest

from apisnoop.fleet.diagnosis import diagnose
from apisnoop.fleet.facts import DRAIN, Answer
from apisnoop.fleet.objects import NO_CONFIGURATION, NO_VERDICT, Deployment, Job, Request, WebhookConfiguration
from apisnoop.node.status import AgentPod, ProxyPod
from apisnoop.node.wanted import INJECTED, MARK
from tests.fleet.things import (
    LABELS,
    NOW,
    ON,
    READY,
    agent,
    answer,
    daemon_set,
    facts,
    intercepted,
    metadata,
    node,
    pod,
    verdict,
    wishes,
)

N1, N2 = "apisnoop-agent-n1", "apisnoop-agent-n2"


def found(**given):
    """Diagnose, and give what is wrong with what is to be done."""
    return {one.what: one.then for one in diagnose(facts(**given))}


def only(**given):
    """Diagnose what has exactly one thing wrong, and give both."""
    ((what, then),) = found(**given).items()
    return what, then


def moment(seconds):
    """Write a time that lies so far from now."""
    return datetime.fromtimestamp(NOW + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def webhook(ready=2):
    """Make the webhook's Deployment."""
    whole = {
        "metadata": metadata("apisnoop-webhook", "apisnoop"),
        "spec": {"replicas": 2},
        "status": {"readyReplicas": ready},
    }
    return msgspec.convert(whole, Deployment)


def configuration(bundle="x", made=-3600):
    """Make the webhook's configuration."""
    whole = {
        "metadata": metadata("apisnoop", "", creationTimestamp=moment(made)),
        "webhooks": [{"name": "pods", "clientConfig": {"caBundle": bundle}}],
    }
    return msgspec.convert(whole, WebhookConfiguration)


def test_nothing_is_wrong_with_what_is_well():
    """Also with pods that nobody wants anything of, and one that is recorded."""
    told = {
        N1: answer("n1", intercepted("web-0"), seen=(ProxyPod("shop", "web-0", "web-0", calls=1),)),
        N2: answer("n2"),
    }
    pods = (pod("web-0", annotations=ON), pod("db-0"), pod("off", annotations={MARK: "false"}))
    assert found(answers=told, pods=pods, webhook=webhook(), webhook_configuration=configuration()) == {}


def test_nothing_installed_comes_with_the_command():
    """Everything else would be noise."""
    assert only(daemon_sets=(), agents=(), answers={}) == (
        "apisnoop is not installed: no DaemonSet of it was found",
        "kubectl apisnoop install",
    )


def test_two_installations_take_pods_from_one_another():
    """Agents of both write the same table."""
    assert "installed 2 times" in next(iter(found(daemon_sets=(daemon_set(), daemon_set()))))


def test_an_uninstall_that_was_not_finished_is_found():
    """Nothing is recorded, and nothing else says why."""
    what, then = only(daemon_sets=(daemon_set({"nodeSelector": {DRAIN: "true"}}),), agents=(), answers={}, nodes=())
    assert "was begun and not finished" in what
    assert then == "kubectl apisnoop uninstall"


def test_a_daemon_set_without_pods_is_found():
    """A quota, or an admission policy."""
    assert "has no pods" in only(agents=(), answers={}, nodes=())[0]


@pytest.mark.parametrize(
    ("known", "says"),
    [
        (verdict(mode="none", reason="nobody signs"), "nothing can be recorded: nobody signs"),
        (NO_VERDICT, "there is no certificate yet"),
        (verdict(mode="csr", not_after=moment(-5), reason="denied"), "the certificate has ended"),
        (verdict(mode="csr", not_after=moment(3600), renew_at=moment(-7200)), "ends soon"),
    ],
)
def test_a_certificate_that_does_not_do_is_found(known, says):
    """With what there is of its Job as the next step."""
    what, then = only(verdict=known)
    assert says in what
    assert then == "kubectl get jobs,events -n apisnoop"


@pytest.mark.parametrize("known", [{"mode": "csr", "not_after": moment(3600)}, {"mode": "none"}])
def test_what_a_certificate_lacks_comes_with_the_command_that_mends_it(known):
    """Said as soon as a renewal has failed, long before the end, and said once."""
    what, then = only(verdict=verdict(reason="the policy is too old", then="kubectl apisnoop install", **known))
    assert "the policy is too old" in what
    assert then == "kubectl apisnoop install"


def test_a_short_certificate_that_is_yet_to_be_renewed_is_fine():
    """Lifetimes may be an hour; what counts is whether renewal is overdue."""
    assert found(verdict=verdict(mode="csr", not_after=moment(1200), renew_at=moment(-10))) == {}


def test_a_job_that_has_failed_is_told_from_one_that_runs():
    """Waiting helps with one of them only."""
    job = msgspec.convert({"metadata": metadata("certs-1", "apisnoop"), "status": {"failed": 2}}, Job)
    what, then = only(verdict=NO_VERDICT, certificate_jobs=(job,))
    assert "its Job has failed" in what
    assert then == "kubectl logs -n apisnoop job/certs-1 --tail=20"


def test_a_request_that_waits_for_a_human_comes_with_the_command():
    """With renewal=manual nobody else approves it."""
    request = msgspec.convert({"metadata": metadata("apisnoop", ""), "status": {}}, Request)
    assert only(verdict=NO_VERDICT, requests=(request,))[1] == "kubectl certificate approve apisnoop"


@pytest.mark.parametrize(
    ("given", "says", "then"),
    [
        (
            {N1: Answer(trouble="agent: timed out"), N2: answer("n2")},
            "node n1: no answer: agent: timed out",
            "kubectl logs",
        ),
        ({N1: answer("n1", connected=False), N2: answer("n2")}, "node n1: no proxy", "kubectl logs"),
        ({N1: answer("n1", lag=0.5), N2: answer("n2")}, "node n1: shed", "kubectl logs"),
    ],
)
def test_a_node_that_is_not_well_is_found(given, says, then):
    """With the logs of its agent."""
    what, command = only(answers=given)
    assert what.startswith(says)
    assert command.startswith(f"{then} apisnoop-agent-n1 -n apisnoop")


def test_an_agent_that_does_not_start_is_described():
    """There may be no log yet."""
    status = {
        "conditions": [],
        "containerStatuses": [{"name": "proxy", "state": {"waiting": {"reason": "ErrImagePull"}}}],
    }
    what, then = only(
        agents=(agent("n1", status=status), agent("n2")), answers={N1: Answer(trouble="x"), N2: answer("n2")}
    )
    assert "ErrImagePull" in what
    assert then == "kubectl describe pod apisnoop-agent-n1 -n apisnoop"


def successor(age, node="n1", **status):
    """Make an agent of an update beside the one that serves."""
    return pod(
        "apisnoop-agent-new",
        "apisnoop",
        node=node,
        labels=LABELS,
        creationTimestamp=moment(-age),
        status={"phase": "Pending", "conditions": [], **status},
    )


@pytest.mark.parametrize(
    ("age", "node", "status", "says"),
    [
        (90, "n1", {}, "on node n1, where the one before it goes on, does not get ready: it is Pending"),
        (
            90,
            "",
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "full"}]},
            "on no node, does not get ready: Unschedulable: full",
        ),
        (30, "n1", {}, ""),
        (90, "n1", {"conditions": READY}, ""),
    ],
)
def test_an_update_that_is_stuck_is_found(age, node, status, says):
    """The agents that it is to replace go on, so that nothing else tells. A new one has a minute."""
    given = {"agents": (agent("n1"), agent("n2"), successor(age, node, **status))}
    there = {f"agent apisnoop/apisnoop-agent-new, {says}": "kubectl describe pod apisnoop-agent-new -n apisnoop"}
    assert found(**given) == (there if says else {})


def test_an_agent_is_no_successor_where_none_serves():
    """Its node is the finding then."""
    agents = (agent("n1", status={"conditions": []}), agent("n2"), successor(90))
    what, _ = only(agents=agents, answers={N1: Answer(trouble="x"), N2: answer("n2")}, nodes=(node("n2"),))
    assert what.startswith("node n1: not ready: ")


def test_a_node_that_is_down_is_one_finding_with_all_its_pods():
    """What its kubelet lacks is not the agent's fault."""
    what, then = only(
        nodes=(node("n1", ready=False), node("n2")),
        answers={N1: Answer(trouble="timed out"), N2: answer("n2")},
        pods=(pod("web-0", annotations=ON),),
    )
    assert what == "node n1 is not ready: what its pods do is unknown"
    assert then == "kubectl describe node n1"


def test_a_node_without_an_agent_counts_only_if_its_pods_are_asked_for():
    """The chart may be kept off nodes on purpose."""
    some = {"agents": (agent("n1"),), "answers": {N1: answer("n1")}}
    assert found(**some) == {}
    assert "node n2 has no agent, and 1 of its pods" in only(pods=(pod("web-0", node="n2", annotations=ON),), **some)[0]


def test_other_versions_are_found():
    """A command line that does not fit shows too little."""
    what, then = only(version="2.0")
    assert what == "nodes run apisnoop 1.0, and this is 2.0"
    assert "kubectl apisnoop install" in then


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"webhook": webhook(0), "webhook_configuration": configuration()}, "no pod of the webhook is ready"),
        ({"webhook": webhook(), "webhook_configuration": NO_CONFIGURATION}, "the webhook's configuration is gone"),
        ({"webhook": webhook(), "webhook_configuration": configuration("")}, "no caBundle"),
    ],
)
def test_a_webhook_that_cannot_be_asked_is_found(given, says):
    """Without it the first calls of new pods are missed."""
    assert says in only(**given)[0]


def test_a_webhook_that_was_not_asked_is_found():
    """A pod whose template asks, made long after the webhook, and not looked at."""

    def made(name, seconds, **marks):
        owner = ("ReplicaSet", "web-1")
        return pod(name, owner=owner, creationTimestamp=moment(seconds), annotations={**ON, **marks})

    pods = (made("young", -600), made("asked", -600, **{INJECTED: "1.0"}), made("older", -7200))
    told = {N1: answer("n1", *(intercepted(one.metadata.name) for one in pods)), N2: answer("n2")}
    what, _ = only(pods=pods, answers=told, webhook=webhook(), webhook_configuration=configuration())
    assert what.startswith("the webhook was not asked about shop/young,")


def test_a_pod_that_is_skipped_is_found_with_the_reason():
    """This is what most will come for."""
    told = {
        N1: answer("n1", AgentPod("shop", "web-0", "web-0", "skipped", "its ca.crt does not accept us")),
        N2: answer("n2"),
    }
    what, then = only(answers=told, pods=(pod("web-0", annotations=ON),))
    assert what == "pod shop/web-0 is asked for and not recorded: skipped: its ca.crt does not accept us"
    assert then == "kubectl describe pod web-0 -n shop"


def test_a_new_pod_has_a_minute():
    """Nothing is wrong with what is under way."""
    assert found(pods=(pod("web-0", annotations=ON, creationTimestamp=moment(-5)),)) == {}
    assert "unnoticed" in only(pods=(pod("web-0", annotations=ON, creationTimestamp=moment(-90)),))[0]


def test_connections_that_cannot_be_read_are_found():
    """Calls are missing from the record, and nothing else tells."""
    seen = ProxyPod("shop", "web-0", "web-0", unseen={"client-certificate": 4})
    told = {N1: answer("n1", intercepted("web-0"), seen=(seen,)), N2: answer("n2")}
    assert "cannot be read: 4 client-certificate" in only(answers=told, pods=(pod("web-0", annotations=ON),))[0]


@pytest.mark.parametrize(
    ("age", "reason", "is_found"),
    [
        (60, "the proxy is overloaded: 312 ms late", True),
        (7200, "the proxy is overloaded: 312 ms late", False),
        (60, "the node agent was lost: it has ended", False),
    ],
)
def test_gaps_that_overload_has_left_are_found(age, reason, is_found):
    """As long as they are news; what an update leaves is no fault."""
    seen = ProxyPod("shop", "web-0", "web-0", gaps=1, missed=2.0, last_gap=moment(-age), gap_reason=reason)
    told = {N1: answer("n1", intercepted("web-0"), seen=(seen,)), N2: answer("n2")}
    said = found(answers=told, pods=(pod("web-0", annotations=ON),))
    assert bool(said) is is_found
    if is_found:
        ((what, then),) = said.items()
        assert what == f"node n1: overload has left gaps in the record of shop/web-0 (the last one: {reason})"
        assert "proxy.resources.requests.cpu" in then


def test_a_mark_that_cannot_be_understood_is_found_once():
    """For many pods of one Deployment it is one mistake."""
    marks = {"web": {MARK: "yes"}}
    owner = ("ReplicaSet", "web-1")
    pods = (pod("web-0", owner=owner), pod("web-x", owner=owner))
    assert only(pods=pods, wishes=wishes(marks))[0] == "apisnoop=yes on deployment web is neither true nor false"


def test_nothing_is_concluded_from_what_may_not_be_read():
    """Whoever may not see certificate and webhook is not told that there are none; a request is seen all the same."""
    assert found(verdict=None, webhook=webhook(), webhook_configuration=None, unreadable=("forbidden",)) == {}
    request = msgspec.convert({"metadata": metadata("apisnoop", ""), "status": {}}, Request)
    assert only(verdict=None, requests=(request,))[1] == "kubectl certificate approve apisnoop"
