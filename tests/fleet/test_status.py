"""How an installation is, concluded from what was found out."""

import msgspec
import pytest

from apisnoop.fleet.facts import DRAIN, Answer
from apisnoop.fleet.status import agents_that_may_answer, status_of, why_not_ready
from apisnoop.node.status import AgentPod, AgentStatus, ProxyPod, ProxySeen, ProxyStatus
from tests.fleet.things import LABELS, ON, agent, answer, daemon_set, facts, intercepted, node, pod, verdict, wishes

N1, N2 = "apisnoop-agent-n1", "apisnoop-agent-n2"


def nodes(**found):
    """Give the state of each node by its name."""
    return {one.name: one for one in status_of(facts(**found)).nodes}


def pods(**found):
    """Give the state of each pod by its name."""
    return {one.name: one for one in status_of(facts(**found)).pods}


def test_a_pod_is_told_by_what_agent_and_proxy_say_of_it():
    """State, since when, calls and connections, and what is not seen of it, older connections included."""
    seen = ProxyPod("shop", "web-0", "web-0", calls=7, connections=2, unseen={"client-certificate": 1})
    told = {N1: answer("n1", intercepted("web-0", existing=3), seen=(seen,))}
    found = pods(pods=(pod("web-0", annotations=ON),), answers=told)["web-0"]
    assert (found.wanted, found.state, found.node) == (True, "intercepting", "n1")
    assert (found.calls, found.connections, found.not_seen) == (7, 2, 4)
    assert found.why == "apisnoop=true on pod web-0"


def test_the_agents_reason_comes_before_ours():
    """Why a pod is skipped is known on its node only."""
    skipped = AgentPod("shop", "web-0", "web-0", "skipped", "it is on the node's network")
    found = pods(pods=(pod("web-0", annotations=ON),), answers={N1: answer("n1", skipped)})["web-0"]
    assert (found.state, found.why) == ("skipped", "it is on the node's network")


def test_with_our_own_authority_a_pod_is_to_be_made_anew():
    """The agent knows only that the pod does not accept the certificate."""
    skipped = AgentPod("shop", "web-0", "web-0", "skipped", "signed by another", reason="CertificateNotAccepted")
    given = {"pods": (pod("web-0", owner=("ReplicaSet", "web-1")),), "wishes": wishes({"web": ON})}
    given["answers"] = {N1: answer("n1", skipped)}
    assert pods(**given, verdict=verdict(mode="csr"))["web-0"].why == "signed by another"
    found = pods(**given, verdict=verdict(mode="own-ca"))["web-0"]
    assert found.why.endswith("made anew: kubectl rollout restart deployment/web -n shop")


def test_a_pod_that_goes_on_though_nobody_asks_is_shown():
    """Its connections drain."""
    draining = AgentPod("shop", "web-0", "web-0", "draining")
    found = pods(pods=(pod("web-0"),), answers={N1: answer("n1", draining)})["web-0"]
    assert (found.wanted, found.state) == (False, "draining")


def test_pods_that_nobody_asks_for_are_left_out():
    """A cluster has thousands."""
    assert pods(pods=(pod("web-0"), pod("done", annotations=ON, status={"phase": "Succeeded"}))) == {}


@pytest.mark.parametrize(
    ("found", "state", "why"),
    [
        ({"answers": {N1: Answer(trouble="timed out")}}, "missing", "node n1 does not answer"),
        ({"agents": ()}, "missing", "there is no agent on node n1"),
        ({}, "unnoticed", "the agent has not noticed it (apisnoop=true on pod web-0)"),
    ],
)
def test_a_pod_that_no_node_speaks_of_is_never_called_recorded(found, state, why):
    """Missing is missing, and said so."""
    known = pods(pods=(pod("web-0", annotations=ON),), **found)["web-0"]
    assert (known.wanted, known.state, known.why, known.calls) == (True, state, why, None)


def test_a_pod_on_no_node_waits():
    """It may not even have been scheduled."""
    assert "on no node" in pods(pods=(pod("web-0", node="", annotations=ON),))["web-0"].why


def test_without_the_right_to_see_pods_nodes_are_believed():
    """Whether a pod is wanted is then unknown, not no."""
    told = {N1: answer("n1", intercepted("web-0"))}
    assert pods(pods=None, answers=told)["web-0"].wanted is None


def test_an_owner_asks_for_its_pods():
    """As on the nodes."""
    found = pods(pods=(pod("web-0", owner=("ReplicaSet", "web-1")),), wishes=wishes({"web": ON}))
    assert found["web-0"].wanted


@pytest.mark.parametrize(
    ("given", "state", "why"),
    [
        (answer("n1"), "well", ""),
        (Answer(trouble="agent: timed out"), "no answer", "agent: timed out"),
        (answer("n1", connected=False), "no proxy", "not connected"),
        (answer("n1", lag=0.4), "shed", "0.40 s late"),
        (Answer(AgentStatus("n1", "1.0", proxy=ProxySeen(True)), None, "proxy: timed out"), "no answer", "timed out"),
        (
            Answer(AgentStatus("n1", "1.0", proxy=ProxySeen(True)), ProxyStatus("n1", trouble="disk full")),
            "well",
            "cannot be kept: disk full",
        ),
    ],
)
def test_a_node_is_as_well_as_its_agent_and_proxy(given, state, why):
    """And the reason is theirs."""
    found = nodes(answers={N1: given})["n1"]
    assert found.state == state
    assert why in found.why


def test_a_node_without_an_agent_is_shown():
    """Whoever expects its pods to be recorded must see it."""
    found = nodes(agents=(agent("n1"),), nodes=(node("n1"), node("n2")))
    assert (found["n2"].state, found["n1"].state) == ("no agent", "well")
    assert "nodeSelector" in found["n2"].why


def test_during_an_update_the_successor_counts():
    """Two agents are on the node; the one that ends is not asked."""
    old = agent("n1", uid="old", deletionTimestamp="2027-01-15T08:00:00Z", creationTimestamp="2027-01-14T00:00:00Z")
    new = agent("n1", uid="new", creationTimestamp="2027-01-15T00:00:00Z")
    found = nodes(agents=(old, new), answers={"old": Answer(trouble="gone"), "new": answer("n1")})
    assert found["n1"].state == "well"


def test_asked_and_recorded_pods_are_counted_for_each_node():
    """The difference is what to look into."""
    asked = (pod("web-0", annotations=ON), pod("web-1", annotations=ON), pod("x", node="n2"))
    found = nodes(pods=asked, answers={N1: answer("n1", intercepted("web-0")), N2: answer("n2")})
    assert (found["n1"].asked, found["n1"].recorded) == (2, 1)
    assert (found["n2"].asked, found["n2"].recorded) == (0, 0)


def test_an_installation_that_lets_go_of_everything_says_so():
    """Between the two halves of an uninstall."""
    found = status_of(facts(daemon_sets=(daemon_set({"nodeSelector": {DRAIN: "true"}}),), agents=(), answers={}))
    assert found.draining
    assert {one.why for one in found.nodes} == {"the DaemonSet was told to let go of everything"}


def test_nothing_installed_is_said():
    """With nodes, but nothing on them."""
    found = status_of(facts(daemon_sets=(), agents=(), answers={}, verdict=None))
    assert not found.installed
    assert found.certificate is None


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (
            {
                "containerStatuses": [
                    {"name": "proxy", "state": {"waiting": {"reason": "ErrImagePull", "message": "no such"}}}
                ]
            },
            "container proxy: ErrImagePull: no such",
        ),
        (
            {
                "containerStatuses": [
                    {
                        "name": "agent",
                        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                        "lastState": {"terminated": {"exitCode": 3, "message": "log\nno certificate\n"}},
                    }
                ]
            },
            "container agent: CrashLoopBackOff: no certificate",
        ),
        (
            {
                "containerStatuses": [
                    {"name": "agent", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
                ]
            },
            "container agent ended with 137: OOMKilled",
        ),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no cpu"}
                ]
            },
            "Unschedulable: no cpu",
        ),
        ({"containerStatuses": [{"name": "agent", "state": {}}]}, "container agent is not ready yet"),
        ({}, "it is Running"),
    ],
)
def test_why_a_pod_is_not_ready_is_told_in_the_kubelets_words(status, why):
    """The last line of what a crashed program left counts for more than that Kubernetes waits."""
    assert why_not_ready(pod("apisnoop-agent-n1", status={"conditions": [], **status})) == why


def test_a_node_whose_agent_is_not_ready_says_what_the_agent_lacks():
    """Not that nobody answers."""
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
    status = {"conditions": [], "containerStatuses": [{"name": "agent", "state": waiting}]}
    found = nodes(agents=(agent("n1", status=status),), answers={N1: Answer(trouble="agent: refused")})["n1"]
    assert (found.state, found.why) == ("not ready", "container agent: ErrImagePull: no such image")


def test_an_agent_on_a_node_that_is_down_lacks_nothing_itself():
    """Its pod is called not ready by then, with no reason of its own."""
    found = nodes(
        agents=(agent("n1", status={"conditions": []}),),
        answers={N1: Answer(trouble="timed out")},
        nodes=(node("n1", ready=False),),
    )
    assert (found["n1"].state, found["n1"].why) == ("no answer", "the node is not ready")


def test_everything_can_be_written_as_json():
    """No value in it is of a kind that JSON has not."""
    told = {N1: answer("n1", intercepted("web-0"))}
    assert msgspec.json.encode(status_of(facts(pods=(pod("web-0", annotations=ON),), answers=told)))


def test_an_agent_that_has_never_run_answers_for_nobody_beside_one_that_has():
    """Also while it ends; alone on its node, it is the one that is missing."""
    pending = {"phase": "Pending", "conditions": []}
    beside = pod("apisnoop-agent-new", "apisnoop", labels=LABELS, status=pending)
    leaving = pod("apisnoop-agent-bad", "apisnoop", labels=LABELS, status=pending, deletionTimestamp="2026-01-01")
    old, alone, over = agent("n1"), agent("n2", status=pending), agent("n3", status={"phase": "Failed"})
    found = agents_that_may_answer([beside, old, alone, leaving, over])
    assert [one.metadata.name for one in found] == ["apisnoop-agent-n1", "apisnoop-agent-n2"]
