"""The user's own addons in the node's proxy."""

import pytest

from apisnoop.errors import ApisnoopError
from apisnoop_addons.node.scripts import Answered, load_scripts
from tests.addons.engine.rig import rigged
from tests.looped import in_loop

MARKING = """
def requestheaders(flow):
    flow.request.headers["x-team"] = "shop"

def responseheaders(flow):
    flow.response.headers["x-seen"] = "yes"
"""
REFUSING = """
from mitmproxy.http import Response

class Refuse:
    def requestheaders(self, flow):
        if flow.request.method == "DELETE":
            flow.response = Response.make(403, b"not on my watch")

addons = [Refuse()]
"""
GET = b"GET /api/v1/pods HTTP/1.1\r\nHost: x\r\n\r\n"
DELETE = b"DELETE /api/v1/namespaces/shop/pods/web HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"


def written(folder, **scripts):
    """Write scripts as a ConfigMap is mounted, and load them."""
    generation = folder / "..2026"
    generation.mkdir()
    for name, text in scripts.items():
        (generation / f"{name}.py").write_text(text)
        (folder / f"{name}.py").symlink_to(generation / f"{name}.py")
    return load_scripts(folder)


@in_loop
async def test_scripts_change_headers_in_both_directions(tmp_path):
    """What they add gets to the server, and to the client; the call is recorded as ever."""
    async with rigged(tmp_path, *written(tmp_path, mark=MARKING, refuse=REFUSING), Answered(), tls=False) as rig:
        reader, writer = await rig.connect()
        writer.write(GET)
        server_reader, server = await rig.next_streams()
        assert b"x-team: shop" in await server_reader.readuntil(b"\r\n\r\n")
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert b"x-seen: yes" in await reader.readuntil(b"\r\n\r\n")
        (call,) = await rig.recorded()
        assert (call.match.operation.id, call.status) == ("listCoreV1PodForAllNamespaces", 200)
        writer.close()


@in_loop
async def test_what_a_script_answers_never_gets_to_the_server_and_is_no_call(tmp_path):
    """The next request on the same connection is one again."""
    async with rigged(tmp_path, *written(tmp_path, refuse=REFUSING), Answered(), tls=False) as rig:
        reader, writer = await rig.connect()
        writer.write(DELETE)
        assert b"not on my watch" in await reader.readuntil(b"watch")
        writer.write(GET)
        server_reader, server = await rig.next_streams()
        assert (await server_reader.readuntil(b"\r\n\r\n")).startswith(b"GET ")
        server.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        (call,) = await rig.recorded()
        assert call.method == "GET"
        writer.close()


@pytest.mark.parametrize("text", ["def (", "import nowhere_to_be_found", "1 / 0"])
def test_a_script_that_cannot_be_read_is_named(tmp_path, text):
    """The proxy does not start with half of what was asked for."""
    with pytest.raises(ApisnoopError, match=r"script broken\.py cannot be read: \w+Error"):
        written(tmp_path, broken=text)
