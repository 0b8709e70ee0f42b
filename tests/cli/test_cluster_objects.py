"""Reading objects of a cluster."""

import msgspec
import pytest

from apisnoop.cli.cluster_objects import decode
from apisnoop.errors import ApisnoopError
from apisnoop.fleet.objects import Thing

PATH = "/api/v1/namespaces/a"


@pytest.mark.parametrize(
    ("body", "why"),
    [(b'{"metadata":{"name":"\xff"}}', "it is no UTF-8 text"), (b"\xff", "malformed"), (b'{"metadata":1}', "Expected")],
)
def test_an_answer_that_cannot_be_read_is_told_with_its_path(body, why):
    """In one line, whether it is no text, no JSON or nothing that we know."""
    with pytest.raises(ApisnoopError, match=rf"^the API server's answer to {PATH} cannot be read: .*{why}"):
        decode(msgspec.json.Decoder(Thing), body, PATH)
