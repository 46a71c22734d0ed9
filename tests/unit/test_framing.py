"""Frames: any cut of the bytes gives the messages or an error, never something else."""

from __future__ import annotations

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupiter.errors import TransferError
from jupiter.kit.framing import WHOLE_BYTES_MAX, Begin, Chunk, Decoder, End, Frame, pack


def decode(data: bytes, cuts: list[int]) -> list[tuple[bytes, bytes]]:
    """Feed bytes in pieces; return heads with whole bodies."""
    decoder = Decoder()
    found: list[tuple[bytes, bytes]] = []
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    for start, end in itertools.pairwise(places):
        for piece in decoder.feed(data[start:end]):
            match piece:
                case Frame(head, body):
                    found.append((head, body))
                case Begin(head):
                    found.append((head, b""))
                case Chunk(part):
                    found[-1] = (found[-1][0], found[-1][1] + part)
                case End():
                    pass
    return found


messages = st.lists(st.tuples(st.binary(max_size=50), st.binary(max_size=300)), max_size=6)


@given(messages, st.lists(st.integers(0, 3000), max_size=12))
def test_any_cut_gives_the_messages(sent: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    data = b"".join(piece for head, body in sent for piece in pack(head, [body]))
    assert decode(data, cuts) == sent


@pytest.mark.parametrize("extra", [-1, 0, 1, WHOLE_BYTES_MAX])
def test_long_bodies_come_in_pieces_and_whole(extra: int) -> None:
    body = bytes(range(256)) * ((WHOLE_BYTES_MAX + extra) // 256 + 1)
    body = body[: WHOLE_BYTES_MAX + extra]
    data = b"".join(pack(b"head", [body])) + b"".join(pack(b"next"))
    assert decode(data, list(range(0, len(data), 65_537))) == [(b"head", body), (b"next", b"")]


@pytest.mark.parametrize("size", [10, WHOLE_BYTES_MAX + 10])
def test_changed_byte_is_found(size: int) -> None:
    data = bytearray(b"".join(pack(b"head", [b"x" * size])))
    data[-40] ^= 1
    with pytest.raises(TransferError, match="digest"):
        decode(bytes(data), [])


def test_lengths_beyond_the_limits_are_refused_before_the_body_comes() -> None:
    decoder = Decoder(head_bytes_max=10, body_bytes_max=0)
    with pytest.raises(TransferError, match="announces a head of 11"):
        list(decoder.feed(pack(b"x" * 11)[0][:12]))
    decoder = Decoder(head_bytes_max=10, body_bytes_max=0)
    with pytest.raises(TransferError, match="body of 1 bytes"):
        list(decoder.feed(pack(b"x", [b"y"])[0][:12]))


def test_digest_is_sha256_of_the_body() -> None:
    assert pack(b"", [b"a", b"b"])[-1] == hashlib.sha256(b"ab").digest()
