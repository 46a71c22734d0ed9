"""Entries of a log file: framed, numbered and checked, so that any damage is seen.

An entry is ``mark (4 bytes) | length (4) | CRC-32 (4) | number (8) | payload``, big-endian; the CRC
covers number and payload. Numbers rise by one, so a gap shows what is missing. A reader takes what
is whole, from the beginning of the file or from the next mark behind a damaged place.

The mark never occurs within a payload as it is written: a file in a journal may be a journal, and
of a torn entry nothing inside may be taken for an entry. Such a payload is written with filling
bytes, of which the highest bit of the length tells.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

MARK = b"\xf5JL\x01"
_HEADER = struct.Struct(">4sIIQ")
HEADER_BYTES = _HEADER.size
_START, _FILLED = MARK[:3], MARK[:3] + b"\0"
_IS_FILLED = 1 << 31
PAYLOAD_BYTES_MAX = 1 << 28
"""A longer one is damage."""


def pack(number: int, payload: bytes) -> bytes:
    """Return an entry."""
    is_filled = 0
    if _START in payload:
        payload = payload.replace(_START, _FILLED)
        is_filled = _IS_FILLED
    crc = _crc(number.to_bytes(8, "big"), payload, is_filled)
    return _HEADER.pack(MARK, len(payload) | is_filled, crc, number) + payload


def _crc(number: bytes | memoryview, payload: bytes | memoryview, is_filled: int) -> int:
    crc = zlib.crc32(payload, zlib.crc32(number))
    return crc ^ 0xFFFF_FFFF if is_filled else crc  # so the bit that tells of it is checked, too


@dataclass
class Scan:
    """What could be read of a log.

    Attributes:
        payloads: Of all entries that are whole, in order.
        good_bytes: Where the last whole entry ends; what follows was cut short by a crash.
        next_number: That the next entry must have.
        gaps: (place in bytes, what is wrong there) wherever something is missing before a whole
            entry; only damage does that, never a crash.
        tail_bytes: After the last whole entry.
    """

    payloads: list[memoryview] = field(default_factory=list)
    good_bytes: int = 0
    next_number: int = 0
    gaps: list[tuple[int, str]] = field(default_factory=list)
    tail_bytes: int = 0


def scan(data: bytes, first_number: int | None = 0) -> Scan:
    """Read a log.

    Args:
        data: Its bytes.
        first_number: That its first entry must have; None where it may have any.
    """
    found = Scan(next_number=first_number or 0)
    is_open = first_number is None
    view = memoryview(data)
    for place, end, number, payload in _entries(data, view):
        if number < found.next_number:
            found.gaps.append((place, f"entry {number} follows {found.next_number - 1}"))
            continue
        if number > found.next_number and not is_open:
            found.gaps.append(
                (found.good_bytes, f"entries {found.next_number} to {number - 1} are missing")
            )
        is_open = False
        found.payloads.append(payload)
        found.next_number = number + 1
        found.good_bytes = end
    found.tail_bytes = len(data) - found.good_bytes
    return found


def _entries(data: bytes, view: memoryview) -> Iterator[tuple[int, int, int, memoryview]]:
    """Yield (start, end, number, payload) of every whole entry."""
    place, size = 0, len(data)
    while place + HEADER_BYTES <= size:
        mark, length, crc, number = _HEADER.unpack_from(data, place)
        is_filled = length & _IS_FILLED
        length ^= is_filled
        start = place + HEADER_BYTES
        end = start + length
        is_whole = (
            mark == MARK
            and length <= PAYLOAD_BYTES_MAX
            and end <= size
            and _crc(view[place + 12 : start], view[start:end], is_filled) == crc
        )
        if is_whole:
            payload = view[start:end]
            if is_filled:
                payload = memoryview(bytes(payload).replace(_FILLED, _START))
            yield place, end, number, payload
            place = end
            continue
        place = data.find(MARK, place + 1)
        if place < 0:
            return
