"""What our MutatingWebhookConfiguration has to say beyond what the chart knows. Pure.

Whom the API server trusts as us, and whether it asks about pods for their owners' sake.
"""

import base64
import binascii

from apisnoop_webhook.cluster import Json

OWN_AUTHORITY = "our-own-authority"
"""The chart's matchCondition, false at first, of the entry that asks for owners' sake: with the cluster's authority the
node agent records pods of a marked owner also when they run already; with ours only the webhook can help them."""


def published(configuration: Json) -> str:
    """Give what every entry trusts, PEM: nothing, if they differ or cannot be read."""
    bundles = {one["clientConfig"].get("caBundle", "") for one in configuration.get("webhooks") or []}
    if len(bundles) != 1:
        return ""
    try:
        return base64.b64decode(bundles.pop() or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def corrected(configuration: Json, trusted: str, *, for_owners: bool) -> Json:
    """Give the configuration with every entry trusting `trusted` (PEM), and owners asked for or not."""
    bundle = base64.b64encode(trusted.encode()).decode()
    entries = [_corrected(entry, bundle, for_owners=for_owners) for entry in configuration.get("webhooks") or []]
    return {**configuration, "webhooks": entries}


def _corrected(entry: Json, bundle: str, *, for_owners: bool) -> Json:
    said = {"name": OWN_AUTHORITY, "expression": "true" if for_owners else "false"}
    conditions = [said if one.get("name") == OWN_AUTHORITY else one for one in entry.get("matchConditions") or []]
    return {
        **entry,
        "clientConfig": {**entry["clientConfig"], "caBundle": bundle},
        **({"matchConditions": conditions} if conditions else {}),
    }
