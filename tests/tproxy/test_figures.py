"""What Prometheus reads."""

from apisnoop_tproxy.figures import Figures, Histogram, render_metrics
from apisnoop_tproxy.pod_state import Cause, Code, Condition, State


def test_the_text_is_prometheus_own():
    """Every family says what it is, and every sample what it counts; nothing else is in the text."""
    figures = Figures(gaps=3)
    for seconds in (0.004, 0.05, 0.26, 99.0):
        figures.to_rule.observe(seconds)
    states = [
        State(Condition.INTERCEPTING, Cause(Code.WANTED, "x"), 1.0),
        State(Condition.SKIPPED, Cause(Code.HOST_NETWORK, "x"), 1.0),
        State(Condition.SKIPPED, Cause(Code.HOST_NETWORK, "y"), 1.0),
    ]
    text = render_metrics(figures, states, 1, proxy=True)
    lines = text.splitlines()
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert text.endswith("\n")
    assert samples['apisnoop_agent_pods{state="intercepting"}'] == "1"
    assert samples['apisnoop_agent_pods{state="waiting"}'] == "0"
    assert samples['apisnoop_agent_skipped_pods{reason="HostNetwork"}'] == "2"
    assert (samples["apisnoop_agent_leases"], samples["apisnoop_agent_proxy_connected"]) == ("1", "1")
    assert samples["apisnoop_agent_gaps_total"] == "3"
    assert samples['apisnoop_agent_to_rule_seconds_bucket{le="0.05"}'] == "2"
    assert samples['apisnoop_agent_to_rule_seconds_bucket{le="0.3"}'] == "3"
    assert samples['apisnoop_agent_to_rule_seconds_bucket{le="+Inf"}'] == "4"
    assert samples["apisnoop_agent_to_rule_seconds_count"] == "4"
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert typed == {line.split()[2] for line in lines if line.startswith("# HELP")}
    assert all(any(sample.startswith(family) for family in typed) for sample in samples)


def test_a_bound_belongs_to_its_bucket():
    """Prometheus' `le` is less or equal."""
    histogram = Histogram()
    histogram.observe(0.01)
    assert histogram.buckets[0] == 1
