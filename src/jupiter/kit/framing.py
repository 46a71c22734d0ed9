"""Cuts a byte stream into messages with bodies; knows no sockets.

A frame is ``head length (4 bytes) | body length (8 bytes) | head | body | SHA-256 of the body``,
lengths big-endian; without a body there is no digest. Short bodies come out whole, long ones in
pieces, so that a file of any size passes through a small memory.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jupiter.errors import TransferError

HEAD_BYTES_MAX = 1 << 20
"""A head is a small JSON text; anything longer is damage or an attack."""
BODY_BYTES_MAX = 1 << 44
WHOLE_BYTES_MAX = 1 << 18
"""Bodies up to this size come out in one piece."""
DIGEST_BYTES = 32
_LENGTHS = struct.Struct(">IQ")


@dataclass(frozen=True, slots=True)
class Frame:
    """A message whose body, if any, is complete and checked."""

    head: bytes
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Begin:
    """A message with a long body; `Chunk`s follow, then `End`."""

    head: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next bytes of a long body."""

    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """A long body is complete and its digest agrees."""


def head_frame(head: bytes, body_bytes: int) -> bytes:
    """Return the bytes before the body."""
    return _LENGTHS.pack(len(head), body_bytes) + head


def pack(head: bytes, body: Iterable[bytes] = ()) -> list[bytes]:
    """Return a whole frame as pieces to be written in turn."""
    pieces = [piece for piece in body if piece]
    if not pieces:
        return [head_frame(head, 0)]
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return [head_frame(head, sum(map(len, pieces))), *pieces, digest.digest()]


class Decoder:
    """Turns received bytes into frames.

    Args:
        head_bytes_max: Longer heads are refused; small until a peer has proved who it is.
        body_bytes_max: As above.
    """

    def __init__(
        self, head_bytes_max: int = HEAD_BYTES_MAX, body_bytes_max: int = BODY_BYTES_MAX
    ) -> None:
        self.head_bytes_max = head_bytes_max
        self.body_bytes_max = body_bytes_max
        self._buffer = bytearray()
        self._lengths: tuple[int, int] | None = None
        self._left = 0
        self._digest: hashlib._Hash | None = None

    def feed(self, data: bytes) -> Iterator[Frame | Begin | Chunk | End]:
        """Take received bytes in; yield what they complete.

        Raises:
            TransferError: A length is beyond its limit, or a digest does not agree.
        """
        self._buffer += data
        while True:
            if self._digest is not None:
                yield from self._long_body(self._digest)
                if self._digest is not None:
                    return
            if self._lengths is None:
                if len(self._buffer) < _LENGTHS.size:
                    return
                self._lengths = self._read_lengths()
            head_bytes, body_bytes = self._lengths
            whole = head_bytes
            if 0 < body_bytes <= WHOLE_BYTES_MAX:
                whole += body_bytes + DIGEST_BYTES
            if len(self._buffer) < whole:
                return
            yield self._short(head_bytes, body_bytes, whole)

    def _read_lengths(self) -> tuple[int, int]:
        head_bytes, body_bytes = _LENGTHS.unpack_from(self._buffer)
        if head_bytes > self.head_bytes_max or body_bytes > self.body_bytes_max:
            raise TransferError(
                f"a frame announces a head of {head_bytes} and a body of {body_bytes} bytes "
                f"(at most {self.head_bytes_max} and {self.body_bytes_max} are taken)"
            )
        del self._buffer[: _LENGTHS.size]
        return head_bytes, body_bytes

    def _short(self, head_bytes: int, body_bytes: int, whole: int) -> Frame | Begin:
        """Take a head, and its body where that comes in one piece, out of the buffer."""
        self._lengths = None
        head = bytes(self._buffer[:head_bytes])
        if body_bytes > WHOLE_BYTES_MAX:
            del self._buffer[:head_bytes]
            self._left = body_bytes
            self._digest = hashlib.sha256()
            return Begin(head, body_bytes)
        body = bytes(self._buffer[head_bytes : head_bytes + body_bytes])
        digest = bytes(self._buffer[head_bytes + body_bytes : whole])
        del self._buffer[:whole]
        if body and hashlib.sha256(body).digest() != digest:
            raise TransferError("the digest of a received body does not agree with its bytes")
        return Frame(head, body)

    def _long_body(self, digest: hashlib._Hash) -> Iterator[Chunk | End]:
        if self._left and self._buffer:
            data = bytes(self._buffer[: self._left])
            del self._buffer[: len(data)]
            self._left -= len(data)
            digest.update(data)
            yield Chunk(data)
        if self._left or len(self._buffer) < DIGEST_BYTES:
            return
        received = bytes(self._buffer[:DIGEST_BYTES])
        del self._buffer[:DIGEST_BYTES]
        self._digest = None
        if received != digest.digest():
            raise TransferError("the digest of a received body does not agree with its bytes")
        yield End()
