"""Secrets that pass the proxy: they reach the server, and neither a call nor a copy for the screen."""

import base64
import json

import pytest
from mitmproxy.io import tnetstring

from apisnoop.calls.call_line import encode_call
from apisnoop_addons.bodies import Bodies
from apisnoop_addons.redact import Redact
from tests.addons.engine.rig import CATALOGUE, rigged
from tests.looped import in_loop

PLANTED = "planted-9d2c41"
ENCODED = base64.b64encode(PLANTED.encode()).decode()
SECRET = {"kind": "Secret", "data": {"key": ENCODED}, "stringData": {"key": PLANTED}}
APPLIED = {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(SECRET)}}}
PROTOBUF = b"k8s\x00\n\x0c\n\x02v1\x12\x06Secret\x12" + PLANTED.encode()
BEARER = f"base64url.bearer.authorization.k8s.io.{base64.urlsafe_b64encode(PLANTED.encode()).decode().rstrip('=')}"

CASES = {
    "authorization": ("GET", "/api/v1/pods", [("authorization", f"Bearer {PLANTED}")], b""),
    "websocket bearer": ("GET", "/api/v1/pods", [("sec-websocket-protocol", f"v5.channel.k8s.io, {BEARER}")], b""),
    "cookie": ("GET", "/api/v1/pods", [("cookie", f"session={PLANTED}")], b""),
    "impersonation": ("GET", "/api/v1/pods", [("impersonate-extra-token", PLANTED)], b""),
    "exec command": ("POST", f"/api/v1/namespaces/a/pods/b/exec?command=login&command={PLANTED}", [], b""),
    "proxied query": ("GET", f"/api/v1/namespaces/a/services/b/proxy/login?token={PLANTED}", [], b""),
    "continue token": ("GET", f"/api/v1/pods?limit=1&continue={PLANTED}", [], b""),
    "secret as JSON": ("POST", "/api/v1/namespaces/a/secrets", [], json.dumps(SECRET).encode()),
    "secret as protobuf": ("PUT", "/api/v1/namespaces/a/secrets/b", [], PROTOBUF),
    "last applied": ("PATCH", "/api/v1/namespaces/a/secrets/b", [], json.dumps(APPLIED).encode()),
    "token request": ("POST", "/api/v1/namespaces/a/serviceaccounts/b/token", [], json.dumps({"t": PLANTED}).encode()),
    "token review": ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", [], json.dumps({"t": PLANTED}).encode()),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("bodies", [False, True], ids=["no bodies", "bodies asked for"])
@in_loop
async def test_a_secret_is_passed_on_and_kept_nowhere(tmp_path, case, bodies):
    """It arrives at the server as it was sent; call, JSON line and redacted copy do not hold it in any form."""
    method, path, headers, body = CASES[case]
    copies = []
    addons = [*([Bodies(CATALOGUE)] if bodies else []), Redact(copies.append)]
    async with rigged(tmp_path, *addons) as rig, await rig.h2_client() as client:
        stream = client.request(method, path, headers=headers, body=body or None)
        async with await rig.next_h2() as server:
            inner, seen = await server.next_request()
            arrived = await server.body(inner)
            assert PLANTED in f"{seen}{arrived}" or BEARER in str(seen)
            server.respond(inner, body or b"{}", headers=[("set-cookie", PLANTED), ("audit-id", "a-1")])
            await client.answer(stream)
        [call] = await rig.recorded()
    kept = repr(call).encode() + encode_call(call)
    kept += b"".join(tnetstring.dumps(copy.get_state()) for copy in copies)
    assert call.audit_id == "a-1"
    assert len(copies) == 2
    for form in (PLANTED, ENCODED, BEARER):
        assert form.encode() not in kept


@in_loop
async def test_bodies_are_kept_only_when_asked_for_and_only_so_much(tmp_path):
    """Without the addon a copy has no body; with it, the beginning of one."""
    copies = []
    addons = (Bodies(CATALOGUE, limit=10), Redact(copies.append))
    async with rigged(tmp_path, *addons) as rig, await rig.h2_client() as client:
        stream = client.request("PUT", "/api/v1/namespaces/a/configmaps/b", body=b"0123456789abcdef")
        async with await rig.next_h2() as server:
            inner, _ = await server.next_request()
            server.respond(inner, b"fedcba9876543210")
            assert await client.answer(stream) == (200, b"fedcba9876543210")
        await rig.recorded()
    assert (copies[-1].request.raw_content, copies[-1].response.raw_content) == (b"0123456789", b"fedcba9876")
