"""Cuts a byte stream into messages with bodies; knows no sockets.

Every frame begins with ``kind (1 byte) | a (4 bytes) | b (8 bytes) | CRC-32 of the head (4 bytes) |
CRC-32 of all this (4 bytes)``, big-endian. So a changed length is noticed at once, and nobody waits
for bytes that never come:

=========  ====================  =================  ==========================================
kind       a                     b                  what follows
=========  ====================  =================  ==========================================
``WORD``   length of the head    of the body        head, body, its SHA-256 where flagged
``OPEN``   length of the head    of the body        head; the body comes in slices
``SLICE``  number of the body    length             the next bytes of that body
``END``    number of the body    0, or 32           nothing, or SHA-256 of the whole body
``DROP``   number of the body    0                  nothing: the rest will not come
``HAVE``   number of the body    bytes              nothing: so much of it need not be sent
=========  ====================  =================  ==========================================

Bodies are numbered by the order in which they are opened, from 1, on each side of a connection.
Slices of several bodies take turns, so a large one does not hold up the others. With `ASK` the
sender waits for ``HAVE``, and goes on from where an earlier connection was cut.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator

from jupiter.errors import TransferError

HEAD_BYTES_MAX = 1 << 20
"""A head is a small message; anything longer is damage or an attack."""
BODY_BYTES_MAX = 1 << 44
WHOLE_BYTES_MAX = 1 << 18
"""Bodies up to this size come out in one piece."""
DIGEST_BYTES = 32
BUFFER_BYTES = 1 << 16

WORD, OPEN, SLICE, END, DROP, HAVE = range(1, 7)
DATA = 7
"""Not on the wire: a piece of a slice, as it comes out of the decoder."""
DIGEST = 0x80
"""Flag of ``WORD`` and ``OPEN``: a digest of the body follows it."""
ASK = 0x40
"""Flag of ``OPEN``: the sender waits for ``HAVE``."""
_KIND = 0x0F
_HEADER = struct.Struct(">BIQI")
_CHECK = struct.Struct(">I")
HEADER_BYTES = _HEADER.size + _CHECK.size
SPACE = bytes(HEADER_BYTES)

Piece = tuple[int, int, int, memoryview | bytes, bytes]
"""(kind, flags or number of the body, length of the body, head or data, body or digest). Views are
good until the next call only."""


def header(kind: int, a: int, b: int, head: bytes | bytearray = b"") -> bytes:
    """Return the header of a frame; `head` is what follows it."""
    fields = _HEADER.pack(kind, a, b, zlib.crc32(head))
    return fields + _CHECK.pack(zlib.crc32(fields))


def fill(buffer: bytearray, start: int, kind: int, b: int) -> None:
    """Write the header of a frame into its place before a head, which ends the buffer."""
    head = buffer[start + HEADER_BYTES :]
    buffer[start : start + HEADER_BYTES] = header(kind, len(head), b, head)


def word(head: bytes, body: bytes = b"", *, has_digest: bool = True) -> bytes:
    """Return a whole frame with a short body."""
    if not body:
        return header(WORD, len(head), 0, head) + head
    if not has_digest:
        return header(WORD, len(head), len(body), head) + head + body
    digest = hashlib.sha256(body).digest()
    return header(WORD | DIGEST, len(head), len(body), head) + head + body + digest


def opening(head: bytes, size: int, *, has_digest: bool = True, is_asking: bool = False) -> bytes:
    """Return the frame that opens a long body."""
    flags = (DIGEST if has_digest else 0) | (ASK if is_asking else 0)
    return header(OPEN | flags, len(head), size, head) + head


class Decoder:
    """Turns received bytes into frames; the caller receives into `room`, or calls `feed`.

    Args:
        head_bytes_max: Longer heads are refused; small until a peer has proved who it is.
        body_bytes_max: As above.
    """

    def __init__(
        self, head_bytes_max: int = HEAD_BYTES_MAX, body_bytes_max: int = BODY_BYTES_MAX
    ) -> None:
        self.head_bytes_max = head_bytes_max
        self.body_bytes_max = body_bytes_max
        self._view = memoryview(bytearray(BUFFER_BYTES))
        self._start = 0
        self._end = 0
        self._need = HEADER_BYTES
        self._left = 0
        self._number = 0

    @property
    def direct(self) -> tuple[int, int]:
        """Return which body the next bytes belong to and how many of them, if nothing is buffered.

        They need not go through `room`, then; `passed` tells of them.
        """
        return (self._number, self._left) if self._start == self._end else (0, 0)

    def passed(self, size: int) -> None:
        """Note bytes of a slice that were received elsewhere."""
        self._left -= size

    def room(self) -> memoryview:
        """Return where to receive to; never empty."""
        start, end = self._start, self._end
        if start == end:
            self._start = self._end = end = 0
            if self._need > len(self._view):
                self._view = memoryview(bytearray(self._need))
        elif start + self._need > len(self._view) or end == len(self._view):
            old = self._view[start:end]
            if self._need > len(self._view) or start == 0:
                self._view = memoryview(bytearray(max(self._need, 2 * len(self._view))))
                self._view[: len(old)] = old
            else:
                self._view[: len(old)] = bytes(old)
            self._start, self._end = 0, len(old)
            end = len(old)
        return self._view[end:]

    def received(self, size: int) -> Iterator[Piece]:
        """Take in what was received into `room`; yield what it completes.

        Raises:
            TransferError: A length is beyond its limit, or a digest does not agree.
        """
        self._end += size
        while True:
            if self._left:
                size = min(self._end - self._start, self._left)
                if size:
                    data = self._view[self._start : self._start + size]
                    self._start += size
                    self._left -= size
                    yield DATA, self._number, size, data, b""
                if self._left:
                    self._need = 1
                    return
            have = self._end - self._start
            if have < HEADER_BYTES:
                self._need = HEADER_BYTES
                return
            kind, a, b, crc = self._header()
            whole = self._length(kind, a, b)
            if have < whole:
                self._need = whole
                return
            begin = self._start + HEADER_BYTES
            self._start += whole
            if kind & _KIND in (WORD, OPEN) and zlib.crc32(self._view[begin : begin + a]) != crc:
                raise TransferError("the head of a frame has changed on its way")
            yield self._piece(kind, a, b, begin)

    def _header(self) -> tuple[int, int, int, int]:
        start = self._start
        check = start + _HEADER.size
        if _CHECK.unpack_from(self._view, check)[0] != zlib.crc32(self._view[start:check]):
            raise TransferError("the beginning of a frame has changed on its way")
        kind, a, b, crc = _HEADER.unpack_from(self._view, start)
        return kind, a, b, crc

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Take received bytes in; yield what they complete; see `received`."""
        view = memoryview(data)
        while view:
            room = self.room()
            size = min(len(room), len(view))
            room[:size] = view[:size]
            view = view[size:]
            yield from self.received(size)

    def _length(self, flags: int, a: int, b: int) -> int:
        """Return the length of a frame without the data of a slice."""
        kind = flags & _KIND
        if kind in (WORD, OPEN):
            if a > self.head_bytes_max or b > self.body_bytes_max:
                raise TransferError(
                    f"a frame announces a head of {a} and a body of {b} bytes "
                    f"(at most {self.head_bytes_max} and {self.body_bytes_max} are taken)"
                )
            if kind == OPEN:
                return HEADER_BYTES + a
            if b > WHOLE_BYTES_MAX:
                raise TransferError(f"a body of {b} bytes comes in one piece")
            return HEADER_BYTES + a + b + (DIGEST_BYTES if flags & DIGEST else 0)
        if kind == END and b in (0, DIGEST_BYTES):
            return HEADER_BYTES + b
        if kind in (SLICE, DROP, HAVE):
            return HEADER_BYTES
        raise TransferError(f"a frame begins with {flags:#04x}, which is no kind of frame")

    def _piece(self, flags: int, a: int, b: int, begin: int) -> Piece:
        kind = flags & _KIND
        if kind == WORD:
            middle = begin + a
            head = self._view[begin:middle]
            if not b:
                return WORD, flags, 0, head, b""
            body = bytes(self._view[middle : middle + b])
            if flags & DIGEST:
                end = middle + b
                if hashlib.sha256(body).digest() != self._view[end : end + DIGEST_BYTES]:
                    raise TransferError("the digest of a received body is not that of its bytes")
            return WORD, flags, b, head, body
        if kind == OPEN:
            return OPEN, flags, b, self._view[begin : begin + a], b""
        if kind == SLICE:
            self._number, self._left = a, b
        digest = bytes(self._view[begin : begin + b]) if kind == END else b""
        return kind, a, b, b"", digest
