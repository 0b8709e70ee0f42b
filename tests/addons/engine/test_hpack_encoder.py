"""The header encoder: any decoder understands it."""

from hpack import Decoder
from hypothesis import given
from hypothesis import strategies as st

from apisnoop_addons.engine.hpack_encoder import QuickEncoder

NAMES = st.sampled_from([b":status", b":path", b"audit-id", b"content-type", b"x-a", b"x-b"])
BLOCKS = st.lists(st.lists(st.tuples(NAMES, st.binary(max_size=40)), max_size=8), max_size=30)


@given(BLOCKS, st.sampled_from([0, 64, 200, 4096]))
def test_what_is_encoded_is_decoded_again(blocks, size):
    """Whatever was sent before, and however small the table is."""
    encoder, decoder = QuickEncoder(), Decoder()
    encoder.header_table_size = size
    decoder.max_allowed_table_size = 4096
    for block in blocks:
        assert decoder.decode(encoder.encode(block), raw=True) == block
