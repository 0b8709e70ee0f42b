"""Who gets which of the chart's secrets: keys, tokens, a password."""

import base64

import pytest

from tests.charts.rendering import MODES, find, mounting, objects, pod_specs, sources
from tests.charts.rights import granted

pytestmark = pytest.mark.cluster  # helm comes with the test cluster's programs


def test_only_the_proxy_mounts_the_key():
    """The agent gets the certificate without it, nobody gets our authority."""
    spec = pod_specs(objects(MODES["mitmweb"]))["apisnoop-agent"]
    assert mounting(spec, "tls.key") == {"proxy"}
    assert mounting(spec, "tls.crt") == {"agent", "proxy"}
    assert "apisnoop-ca" not in {volume.get("secret", {}).get("secretName") for volume in spec["volumes"]}


def test_the_proxys_token_is_good_for_nothing_but_what_everybody_may():
    """It is of an account without rights; the agent's, which may look at all pods, is the agent's alone."""
    things = objects()
    spec = pod_specs(things)["apisnoop-agent"]
    (token,) = (volume for volume in spec["volumes"] if any("serviceAccountToken" in one for one in sources(volume)))
    mounts = {
        one["name"] for one in spec["containers"] for mount in one["volumeMounts"] if mount["name"] == token["name"]
    }
    assert mounts == {"agent"}
    assert mounting(spec, "token") == {"proxy"}
    named = find(things, "Secret", "apisnoop-proxy")["metadata"]["annotations"]["kubernetes.io/service-account.name"]
    assert named == find(things, "ServiceAccount", "apisnoop-proxy")["metadata"]["name"]
    assert granted(things, named) == set()


def test_the_viewer_gets_nothing_but_copies_and_a_hash():
    """No key, no token, no password, and a user that can read nobody else's files."""
    spec = pod_specs(objects(MODES["mitmweb"]))["apisnoop-agent"]
    viewer = next(one for one in spec["containers"] if one["name"] == "mitmweb")
    assert spec["automountServiceAccountToken"] is False
    assert [(mount["name"], mount["readOnly"]) for mount in viewer["volumeMounts"]] == [
        ("feed", True),
        ("password", True),
    ]
    assert mounting(spec, "hash") == {"mitmweb"}
    assert mounting(spec, "password") == set()
    users = {one["name"]: one["securityContext"]["runAsUser"] for one in spec["containers"]}
    assert len(set(users.values())) == 3


def test_the_viewers_password_is_made_once_and_only_hashed():
    """At random if none is given; its hash is bcrypt's."""
    secret = find(objects(("mitmweb.enabled=true",)), "Secret", "apisnoop-mitmweb")["data"]
    password, hashed = (base64.b64decode(secret[key]).decode() for key in ("password", "hash"))
    assert len(password) == 32
    assert hashed.startswith("$2a$")
    given = find(objects(("mitmweb.enabled=true", "mitmweb.password=p")), "Secret", "apisnoop-mitmweb")["data"]
    assert base64.b64decode(given["password"]) == b"p"
