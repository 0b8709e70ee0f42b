"""The operations that the Kubernetes conformance project leaves out of conformance, each with a short reason code.

Facts taken from kubernetes-sigs/apisnoop, resources/coverage/ineligible_endpoints.yaml (Apache-2.0); the wording of the
reasons is not kept, only which of our codes it amounts to. The list speaks of the stable operations only.
"""

from functools import cache
from importlib.resources import files

REASONS = {
    "debug-feature": "made for debugging",
    "deprecated": "deprecated, though its OpenAPI document does not say so",
    "deprecated-protocol": "speaks a protocol that is on its way out",
    "no-stable-version": "belongs to a group without a stable version",
    "optional-feature": "a cluster need not have it",
    "pending-deprecation": "expected to be deprecated",
    "provider-may-refuse": "a provider may refuse it",
    "untestable": "cannot be tested",
}
"""What each reason code means, for a person."""


@cache
def ineligible() -> dict[str, str]:
    """Give the operations that conformance leaves out: operation id to reason code."""
    lines = files(__package__).joinpath("ineligible.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return dict(line.split("\t") for line in lines)
