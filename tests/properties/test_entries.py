"""Whatever is done to a log file, what is read was written, and what is missing is told."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupiter.kit import entries
from jupiter.kit.entries import HEADER_BYTES, MARK

PAYLOADS = st.lists(
    st.binary(max_size=60)
    | st.sampled_from([b"", MARK, MARK[:3], MARK[:3] + b"\0", b"x" * 300, MARK * 3 + b"\xf5"])
    | st.builds(entries.pack, st.integers(0, 12), st.binary(max_size=20)),  # a log in a log
    max_size=8,
)


def log_of(payloads: list[bytes], first: int = 0) -> bytes:
    return b"".join(entries.pack(first + k, each) for k, each in enumerate(payloads))


def read(data: bytes, first: int | None = 0) -> list[bytes]:
    return [bytes(payload) for payload in entries.scan(data, first).payloads]


@given(PAYLOADS, st.integers(0, 1 << 40))
def test_what_is_written_is_read(payloads: list[bytes], first: int) -> None:
    data = log_of(payloads, first)
    found = entries.scan(data, first)
    assert [bytes(each) for each in found.payloads] == payloads
    assert (found.good_bytes, found.tail_bytes, found.gaps) == (len(data), 0, [])
    assert found.next_number == first + len(payloads)
    assert read(data, None) == payloads


@given(PAYLOADS)
def test_log_that_is_cut_at_any_byte_has_an_exact_prefix(payloads: list[bytes]) -> None:
    data = log_of(payloads)
    ends = [0]
    for k, each in enumerate(payloads):
        ends.append(ends[-1] + len(entries.pack(k, each)))
    for cut in range(len(data) + 1):
        found = entries.scan(data[:cut])
        whole = max(k for k, end in enumerate(ends) if end <= cut)
        assert [bytes(each) for each in found.payloads] == payloads[:whole]
        assert found.good_bytes == ends[whole]
        assert found.tail_bytes == cut - ends[whole]
        assert found.next_number == whole
        assert found.gaps == []


@settings(max_examples=300)
@given(PAYLOADS.filter(bool), st.integers(1, 64), st.randoms(use_true_random=False))
def test_flipped_bits_never_give_another_payload(
    payloads: list[bytes], flips: int, rng: random.Random
) -> None:
    data = bytearray(log_of(payloads))
    whole = bytes(data)
    for _ in range(flips):
        bit = rng.randrange(len(data) * 8)
        data[bit // 8] ^= 1 << bit % 8
    check_damage(whole, bytes(data), payloads)


@pytest.mark.parametrize("place", range(HEADER_BYTES))
@pytest.mark.parametrize("entry", range(3))
def test_every_bit_of_a_header_counts(place: int, entry: int) -> None:
    payloads = [b"first", b"second" * 20, b"third"]
    whole = log_of(payloads)
    start = len(log_of(payloads[:entry]))
    for bit in range(8):
        data = bytearray(whole)
        data[start + place] ^= 1 << bit
        found = check_damage(whole, bytes(data), payloads)
        assert found == payloads[:entry] + payloads[entry + 1 :]


def check_damage(whole: bytes, data: bytes, payloads: list[bytes]) -> list[bytes]:
    found = entries.scan(data)
    texts = [bytes(each) for each in found.payloads]
    left = iter(payloads)
    assert all(text in left for text in texts), (
        "something that was not written, or in another order"
    )
    is_noticed = bool(found.gaps) or found.tail_bytes > 0
    assert is_noticed == (data != whole)
    return texts


def test_piece_that_is_missing_or_doubled_is_told() -> None:
    payloads = [b"%d" % k for k in range(5)]
    packed = [entries.pack(k, each) for k, each in enumerate(payloads)]
    found = entries.scan(b"".join(packed[:1] + packed[3:]))
    assert found.gaps == [(len(packed[0]), "entries 1 to 2 are missing")]
    assert found.next_number == 5
    twice = entries.scan(b"".join([*packed, packed[4]]))
    assert [bytes(each) for each in twice.payloads] == payloads
    assert twice.gaps == [(len(b"".join(packed)), "entry 4 follows 4")]


def test_entries_within_a_body_are_none_of_the_log() -> None:
    """A stream may well carry journals; of a torn entry nothing inside it counts."""
    inner = log_of([b"forged"] * 6)
    data = log_of([b"a", b"b", inner])
    assert MARK not in data[data.rindex(MARK) + 4 :]
    torn = entries.scan(data[:-1])
    assert [bytes(each) for each in torn.payloads] == [b"a", b"b"]
    assert torn.gaps == []
    assert read(data) == [b"a", b"b", inner]
