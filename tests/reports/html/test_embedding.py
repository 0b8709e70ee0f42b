"""Data and programs inside a page."""

import json

from apisnoop.reports.html.embedding import content_policy, json_for_script

HOSTILE = "</script><!--<script>\u2028\u2029&amp;]]>'\"\\ \u202egpj.exe"


def test_what_could_leave_a_script_element_is_escaped():
    """No character that ends an element, starts a comment or ends a line of JavaScript is left as it is."""
    text = json_for_script({HOSTILE: [HOSTILE]})
    assert not set(text) & set("<>&\u2028\u2029")


def test_escaping_changes_no_value():
    """Whoever parses the JSON gets exactly what was put in."""
    assert json.loads(json_for_script({HOSTILE: [HOSTILE, 1, None]})) == {HOSTILE: [HOSTILE, 1, None]}


def test_the_policy_names_scripts_by_hash_and_loads_nothing():
    """Without a rule of its own every kind of resource is forbidden; the hash is that of the CSP specification."""
    policy = content_policy(["alert('Hello, world.');"], [""])
    assert policy.startswith("default-src 'none'; ")
    assert "script-src 'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='" in policy
    assert "unsafe" not in policy
