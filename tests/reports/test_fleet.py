"""The state of an installation as tables and JSON."""

import json

import pytest

from apisnoop.fleet.facts import Answer
from apisnoop.fleet.objects import NO_VERDICT
from apisnoop.fleet.status import status_of
from apisnoop.node.status import AgentPod, ProxyPod
from apisnoop.reports.fleet import duration_text, render_json, render_status
from apisnoop.reports.paint import Paint
from tests.fleet.things import NOW, ON, answer, facts, intercepted, pod, verdict

N1 = "apisnoop-agent-n1"


def text(paint=None, **found):
    """Render the status of an installation."""
    return render_status(status_of(facts(**found)), NOW, None, paint or Paint(False))


def busy(**more):
    """Give one pod that is recorded and one that is not."""
    seen = ProxyPod("shop", "web-0", "web-0", calls=1234, unseen={"client-certificate": 2})
    told = answer(
        "n1", intercepted("web-0", existing=1, **more), AgentPod("shop", "x", "x", "skipped", "no"), seen=(seen,)
    )
    return {"pods": (pod("web-0", annotations=ON), pod("x", annotations=ON)), "answers": {N1: told}}


def test_a_summary_comes_first():
    """Nodes that answer, pods recorded, and whether pods accept us for how long."""
    lines = text(**busy()).splitlines()
    assert lines[0] == "apisnoop in namespace apisnoop (release apisnoop): 1 of 2 nodes answer, 1 pod recorded"
    assert lines[1] == (
        "Certificate: signed by the cluster (kubernetes.io/kubelet-serving), until 2027-01-20T00:00:00Z (5d left)"
    )


def test_each_pod_has_a_line_with_what_is_not_seen_of_it():
    """Older connections come with the option that ends them."""
    line = next(line for line in text(**busy(until="2027-01-15T09:00:00Z")).splitlines() if "web-0" in line)
    assert line.split()[:8] == ["shop", "web-0", "n1", "yes", "intercepting", "60s", "1,234", "3"]
    assert "2 client-certificate" in line
    assert "1 older connection: --reset" in line
    assert "until 2027-01-15T09:00:00Z" in line


def test_a_gap_neither_hides_what_was_before_nor_itself():
    """How long and how much is told of all recordings, with the gaps between them."""
    since, gap = "2027-01-15T07:30:00Z", "2027-01-15T07:59:00Z"
    seen = ProxyPod("shop", "web-0", "web-0", calls=1234, since=since, gaps=2, missed=75.0, last_gap=gap)
    told = {N1: answer("n1", intercepted("web-0"), seen=(seen,))}
    lines = text(pods=(pod("web-0", annotations=ON),), answers=told).splitlines()
    line = next(line for line in lines if "web-0" in line)
    assert line.split()[5:9] == ["30m", "1,234", "2", "(75s)"]
    assert "GAPS" in next(line for line in lines if line.startswith("NAMESPACE"))
    assert "GAPS" not in text(**busy())


def test_columns_without_a_word_are_left_out():
    """Where nothing is wrong, nothing is explained."""
    assert "WHY" not in text()


def test_states_are_coloured_on_a_terminal():
    """What is wrong is red, and stays readable without."""
    coloured = text(Paint(True), **busy())
    assert "\x1b[31m" in next(line for line in coloured.splitlines() if "skipped" in line)
    assert "\x1b[31m" not in next(line for line in coloured.splitlines() if "intercepting" in line)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (verdict(mode="none", reason="nobody signs"), "Certificate: none, nothing can be recorded: nobody signs"),
        (NO_VERDICT, "Certificate: not there yet"),
        (None, "Certificate: unknown, since it may not be read"),
        (verdict(mode="own-ca", reason="denied"), "of our own authority, for pods created with it only (denied)"),
        (verdict(mode="csr", signer="s", not_after="2026-01-01T00:00:00Z"), "(over)"),
    ],
)
def test_the_certificate_is_told_in_every_state(found, says):
    """Without one that pods accept, all the rest is idle."""
    assert says in text(verdict=found)


def test_without_an_installation_the_next_command_is_said():
    """Nothing else is there to say."""
    assert "kubectl apisnoop install" in text(daemon_sets=(), agents=(), answers={}, nodes=())


def test_what_may_not_be_read_is_said():
    """Else half a picture looks whole."""
    assert "not readable: nodes is forbidden" in text(unreadable=("nodes is forbidden",))


def test_names_cannot_move_the_cursor():
    """What nodes say is not trusted."""
    found = text(answers={N1: Answer(trouble="\x1b[2J")}, unreadable=("\x1b",))
    assert "\x1b" not in found


def test_json_has_everything():
    """Also what a table leaves out."""
    found = json.loads(render_json(status_of(facts(**busy()))))
    assert found["pods"][0]["not_seen"] == 3
    assert found["pods"][0]["unseen"] == {"client-certificate": 2}
    assert {one["name"] for one in found["nodes"]} == {"n1", "n2"}


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0s"), (119, "119s"), (120, "2m"), (7300, "2h"), (200_000, "2d"), (-5, "0s")]
)
def test_time_spans_are_short(seconds, said):
    """As kubectl writes ages."""
    assert duration_text(seconds) == said
