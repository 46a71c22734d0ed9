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
from dataclasses import dataclass, field

MARK = b"\xf5JL\x01"
_HEADER = struct.Struct(">4sIIQ")
HEADER_BYTES = _HEADER.size
_START, _FILLED = MARK[:3], MARK[:3] + b"\0"
_NUMBER_AT = 12
_IS_FILLED = 1 << 31
_FILLED_CRC = 0xFFFF_FFFF
"""Changes the CRC where the bit is set, so that the bit is checked, too."""
PAYLOAD_BYTES_MAX = 1 << 28
"""A longer one is damage."""


def pack(number: int, payload: bytes) -> bytes:
    """Return an entry."""
    is_filled = 0
    if _START in payload:
        payload = payload.replace(_START, _FILLED)
        is_filled = _IS_FILLED
    crc = zlib.crc32(payload, zlib.crc32(number.to_bytes(8, "big")))
    if is_filled:
        crc ^= _FILLED_CRC
    return _HEADER.pack(MARK, len(payload) | is_filled, crc, number) + payload


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
    expected, good = found.next_number, 0
    view, place, size = memoryview(data), 0, len(data)
    unpack, crc_of, keep = _HEADER.unpack_from, zlib.crc32, found.payloads.append
    while place + HEADER_BYTES <= size:  # written at length: it is done for every entry
        mark, length, crc, number = unpack(data, place)
        if length & _IS_FILLED:
            length ^= _IS_FILLED
            crc ^= _FILLED_CRC
            is_filled = True
        else:
            is_filled = False
        end = place + HEADER_BYTES + length
        if (
            mark != MARK
            or length > PAYLOAD_BYTES_MAX
            or end > size
            or crc_of(view[place + _NUMBER_AT : end]) != crc
        ):
            place = data.find(MARK, place + 1)
            if place < 0:
                break
            continue
        start, place = place, end
        if number != expected and not is_open:
            if number < expected:
                found.gaps.append((start, f"entry {number} follows {expected - 1}"))
                continue
            found.gaps.append((good, f"entries {expected} to {number - 1} are missing"))
        is_open = False
        payload = view[start + HEADER_BYTES : end]
        if is_filled:
            payload = memoryview(bytes(payload).replace(_FILLED, _START))
        keep(payload)
        expected, good = number + 1, end
    found.next_number, found.good_bytes, found.tail_bytes = expected, good, size - good
    return found
