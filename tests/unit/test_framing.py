"""Frames: any cut of the bytes gives the messages or an error, never something else."""

from __future__ import annotations

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupiter.errors import TransferError
from jupiter.kit import framing
from jupiter.kit.framing import WHOLE_BYTES_MAX, Decoder


def frames(
    head: bytes, body: bytes, number: int, *, cuts: int = 1, has_digest: bool = True
) -> bytes:
    """Frame a message as a sender does, a long body in several slices."""
    if len(body) <= WHOLE_BYTES_MAX:
        return framing.word(head, body, has_digest=has_digest)
    size = -(-len(body) // cuts)
    pieces = [framing.opening(head, len(body), has_digest=has_digest)]
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        pieces += [framing.header(framing.SLICE, number, len(piece)), piece]
    digest = hashlib.sha256(body).digest() if has_digest else b""
    return b"".join([*pieces, framing.header(framing.END, number, len(digest)), digest])


def decode(data: bytes, cuts: list[int]) -> list[tuple[bytes, bytes]]:
    """Feed bytes in pieces; return heads with whole bodies."""
    decoder = Decoder()
    found: list[tuple[bytes, bytes]] = []
    long: dict[int, int] = {}
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    for start, end in itertools.pairwise(places):
        for kind, number, _, piece, extra in decoder.feed(data[start:end]):
            if kind == framing.WORD:
                found.append((bytes(piece), extra))
            elif kind == framing.OPEN:
                long[len(long) + 1] = len(found)
                found.append((bytes(piece), b""))
            elif kind == framing.DATA:
                at = long[number]
                found[at] = (found[at][0], found[at][1] + piece)
            elif kind == framing.END and extra:
                assert extra == hashlib.sha256(found[long[number]][1]).digest()
    return found


messages = st.lists(st.tuples(st.binary(max_size=50), st.binary(max_size=300)), max_size=6)


@given(messages, st.lists(st.integers(0, 3000), max_size=12), st.booleans())
def test_any_cut_gives_the_messages(
    sent: list[tuple[bytes, bytes]], cuts: list[int], has_digest: bool
) -> None:
    data = b"".join(frames(head, body, 0, has_digest=has_digest) for head, body in sent)
    assert decode(data, cuts) == sent


@pytest.mark.parametrize("extra", [-1, 0, 1, WHOLE_BYTES_MAX])
@pytest.mark.parametrize("step", [1021, 65_537])
def test_long_bodies_come_in_pieces_and_whole(extra: int, step: int) -> None:
    body = bytes(range(256)) * ((WHOLE_BYTES_MAX + extra) // 256 + 1)
    body = body[: WHOLE_BYTES_MAX + extra]
    data = frames(b"head", body, 1, cuts=3) + frames(b"next", b"", 0)
    assert decode(data, list(range(0, len(data), step))) == [(b"head", body), (b"next", b"")]


def test_bodies_take_turns() -> None:
    one, two = b"1" * 700_000, b"2" * 500_000
    data = framing.opening(b"one", len(one)) + framing.opening(b"two", len(two))
    for start in range(0, len(one), 100_000):
        for number, body in ((1, one), (2, two)):
            piece = body[start : start + 100_000]
            data += framing.header(framing.SLICE, number, len(piece)) + piece
    assert decode(data, list(range(0, len(data), 9_999))) == [(b"one", one), (b"two", two)]


def test_head_longer_than_the_buffer_comes_whole() -> None:
    head = bytes(range(251)) * 1500
    data = frames(b"a", b"b", 0) + frames(head, b"body", 0) + frames(b"z", b"", 0)
    expected = [(b"a", b"b"), (head, b"body"), (b"z", b"")]
    assert decode(data, list(range(0, len(data), 4_001))) == expected


def test_changed_byte_is_found() -> None:
    data = bytearray(frames(b"head", b"x" * 10, 0))
    data[-40] ^= 1
    with pytest.raises(TransferError, match="digest"):
        decode(bytes(data), [])


@pytest.mark.parametrize("kind", [0, 7, 15])
def test_unknown_kind_is_refused(kind: int) -> None:
    with pytest.raises(TransferError, match="no kind of frame"):
        decode(framing.header(kind, 0, 0), [])


def test_long_body_in_one_piece_is_refused() -> None:
    with pytest.raises(TransferError, match="one piece"):
        decode(framing.header(framing.WORD, 1, WHOLE_BYTES_MAX + 1), [])


def test_lengths_beyond_the_limits_are_refused_before_the_body_comes() -> None:
    decoder = Decoder(head_bytes_max=10, body_bytes_max=0)
    with pytest.raises(TransferError, match="announces a head of 11"):
        list(decoder.feed(framing.word(b"x" * 11)[: framing.HEADER_BYTES]))
    decoder = Decoder(head_bytes_max=10, body_bytes_max=0)
    with pytest.raises(TransferError, match="body of 1 bytes"):
        list(decoder.feed(framing.word(b"x", b"y")[: framing.HEADER_BYTES]))


def test_digest_is_sha256_of_the_body() -> None:
    assert framing.word(b"", b"ab")[-32:] == hashlib.sha256(b"ab").digest()


@pytest.mark.parametrize("place", range(framing.HEADER_BYTES + 4))
def test_changed_byte_of_a_header_or_head_is_noticed_before_anything_is_waited_for(
    place: int,
) -> None:
    frame = bytearray(framing.word(b"head", b"body"))
    frame[place] ^= 0x10
    with pytest.raises(TransferError, match="has changed"):
        list(Decoder().feed(bytes(frame)))
