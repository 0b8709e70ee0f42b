"""The policy as it is rendered; what the API server makes of it is in test_policy_on_cluster.py."""

from datetime import timedelta

import yaml

from apisnoop_certs.policy import Tie, policy_objects
from tests.certs.made import NAMES

TIE = Tie("system:serviceaccount:ns:job", ("r", "r-probe"), ("a/b",), timedelta(days=1), NAMES)


def test_it_binds_the_jobs_account_only():
    """By the user's name, which the API server knows and the requester cannot choose."""
    policy, binding = policy_objects("p", TIE)
    (condition,) = policy["spec"]["matchConditions"]
    assert condition["expression"] == 'request.userInfo.username == "system:serviceaccount:ns:job"'
    assert policy["spec"]["failurePolicy"] == "Fail"
    assert binding["spec"] == {"policyName": "p", "validationActions": ["Deny"]}


def test_it_sees_requests_and_their_approvals():
    """Whatever is checked when a request is made is checked when it is approved."""
    (rule,) = policy_objects("p", TIE)[0]["spec"]["matchConstraints"]["resourceRules"]
    assert rule["resources"] == ["certificatesigningrequests", "certificatesigningrequests/*"]
    assert rule["operations"] == ["CREATE", "UPDATE"]


def test_a_quote_in_a_name_cannot_change_the_policy():
    """Values are written as CEL strings."""
    tie = Tie('a" || true || "', ("r",), ("s",), timedelta(days=1))
    expression = policy_objects("p", tie)[0]["spec"]["matchConditions"][0]["expression"]
    assert expression == r'request.userInfo.username == "a\" || true || \""'


def test_the_policy_is_the_same_each_time():
    """Else `kubectl diff` and Helm would see a change where there is none."""
    assert yaml.safe_dump(policy_objects("p", TIE)) == yaml.safe_dump(policy_objects("p", TIE))
