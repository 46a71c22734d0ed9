"""A message under way, and the bytes of its body, read from the files where they lie."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from jupiter.aio.channel import Channel
from jupiter.errors import TransferError
from jupiter.kit import framing
from jupiter.model import messages as msg
from jupiter.model import words
from jupiter.model.items import Part

CHUNK_BYTES = 1 << 20
"""Read at a time where the bytes must be seen: for a digest, or for TLS."""
READ_BYTES = 1 << 18
"""Read at a time by a shaped link, in the loop."""
SENDFILE_BYTES_MIN = 1 << 17
"""Shorter pieces are read: the detour costs more than copying them."""

Paths = Callable[[], Sequence[str] | None]


def _no_paths() -> Sequence[str]:
    return ()


class Outgoing:
    """A message under way.

    Attributes:
        message: What is said.
        size_bytes: Length of the body.
        paths: Returns the files that are its body, one after the other; None where they are gone
            because nobody needs them any more.
        data: Body that is no file; only probes have one.
        parts: Of the body, where they are known.
        is_checked: Every part has its digest, so the body needs none.
    """

    __slots__ = ("data", "is_checked", "message", "parts", "paths", "size_bytes")

    def __init__(
        self,
        message: msg.Say | msg.Again | msg.Spoilt | msg.Probe,
        size_bytes: int = 0,
        paths: Paths = _no_paths,
        data: bytes = b"",
    ) -> None:
        self.message = message
        self.size_bytes = size_bytes
        self.paths = paths
        self.data = data
        self.parts: tuple[Part, ...] = ()
        if isinstance(message, msg.Say) and isinstance(message.word, words.Deliver):
            self.parts = message.word.delivery.parts
        self.is_checked = bool(self.parts) and all(part.digest for part in self.parts)

    @property
    def is_small(self) -> bool:
        """Whether the body goes in one piece."""
        return self.size_bytes <= framing.WHOLE_BYTES_MAX

    @property
    def key(self) -> tuple[str, int] | None:
        """Run and number, where it has one."""
        message = self.message
        if isinstance(message, msg.Say) and message.number:
            return message.run, message.number
        return None

    def body(self, paths: Sequence[str]) -> bytes:
        """Return a short body.

        Raises:
            TransferError: A file is not as long as it was when its task ended.
        """
        if self.data:
            return self.data
        found = []
        for path in paths:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                found.append(os.read(fd, self.size_bytes + 1))
            finally:
                os.close(fd)
        body = found[0] if len(found) == 1 else b"".join(found)
        if len(body) != self.size_bytes:
            raise _changed(paths, self.size_bytes - len(body))
        return body

    def slices(self, paths: Sequence[str], number: int, start: int = 0) -> Iterator[bytes]:
        """Yield the frames of an opened body in pieces; see `body`.

        Args:
            paths: Its files.
            number: Of the body.
            start: How much of it the other side has.
        """
        digest = hashlib.sha256()
        passed = 0
        yield framing.header(framing.SLICE, number, self.size_bytes - start)
        for piece in self._pieces(paths):
            if not self.is_checked:
                digest.update(piece)
            passed += len(piece)
            if passed > start:
                yield piece[max(0, len(piece) - (passed - start)) :]
        end = b"" if self.is_checked else digest.digest()
        yield framing.header(framing.END, number, len(end)) + end

    def _pieces(self, paths: Sequence[str]) -> Iterator[bytes]:
        if self.data:
            yield self.data
        left = self.size_bytes - len(self.data)
        for path in paths:
            with Path(path).open("rb", buffering=0) as file:
                while piece := file.read(min(READ_BYTES, left)):
                    left -= len(piece)
                    yield piece
        if left:
            raise _changed(paths, left)

    def fault(self, paths: Sequence[str]) -> str:
        """Return which file is not what its digest says; empty where all are."""
        for part, path in zip(self.parts, paths, strict=True):
            try:
                with Path(path).open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                return f"{part.name} cannot be read: {error.strerror}"
            if part.digest and digest != part.digest:
                return f"{part.name} is not what was written"
        return ""


class Sending:
    """A long body on its way over a connection, slice by slice.

    Args:
        out: What is sent.
        paths: Its files.
        channel: Where it goes.
        is_asking: The other side may have some of it from an earlier connection.

    Attributes:
        asked: Tells how much the other side has; None where it was not asked.
    """

    def __init__(
        self, out: Outgoing, paths: Sequence[str], channel: Channel, *, is_asking: bool
    ) -> None:
        self.out = out
        self._paths = paths
        self._channel = channel
        self._digest = None if out.is_checked else hashlib.sha256()
        self._left = out.size_bytes
        self._index = -1
        self._file: BinaryIO | None = None
        self._file_left = 0
        self._offset = 0
        self.number = channel.next_number()
        self.asked = channel.asked(self.number) if is_asking else None
        head = msg.encode(out.message)
        channel.write(
            framing.opening(
                head, out.size_bytes, has_digest=self._digest is not None, is_asking=is_asking
            )
        )

    @property
    def is_waiting(self) -> bool:
        """Whether the other side has not told yet what it has."""
        return self.asked is not None and not self.asked.done()

    async def step(self, most: int) -> bool:
        """Send the next slice; return whether the body is complete.

        Raises:
            TransferError: A file is not what it was.
            OSError: It cannot be read, or the connection is gone.
        """
        if self.asked is not None:
            have, self.asked = self.asked.result(), None
            await self._skip(min(have, self._left))
        left = size = min(most, self._left)
        if size:
            self._channel.write(framing.header(framing.SLICE, self.number, size))
        while left:
            self._next_file()
            if self._can_send_file(left):
                left -= await self._send_file(left)
            else:
                left -= await self._send_read(left)
        self._left -= size
        if self._left:
            return False
        digest = self._digest.digest() if self._digest is not None else b""
        self._channel.write(framing.header(framing.END, self.number, len(digest)) + digest)
        await self._channel.drain()
        return True

    def drop(self) -> None:
        """Tell the other side that the rest will not come."""
        self._channel.write(framing.header(framing.DROP, self.number, 0))

    def close(self) -> None:
        """Close the file under way."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _can_send_file(self, left: int) -> bool:
        size = min(left, self._file_left)
        return (
            self._file is not None
            and self._digest is None
            and size >= SENDFILE_BYTES_MIN
            and self._channel.can_send_files
        )

    async def _send_file(self, left: int) -> int:
        assert self._file is not None  # noqa: S101 - for the type checker
        size = min(left, self._file_left)
        await self._channel.send_file(self._file, self._offset, size)
        self._offset += size
        self._file_left -= size
        return size

    async def _send_read(self, left: int) -> int:
        """Send up to `left` bytes that are read: the next chunk while one is written."""
        loop = asyncio.get_running_loop()
        sent = 0
        reading = loop.run_in_executor(None, self._read, min(left, CHUNK_BYTES))
        while True:
            data = await reading
            sent += len(data)
            self._next_file()
            is_last = sent == left or self._can_send_file(left - sent)
            if not is_last:
                reading = loop.run_in_executor(None, self._read, min(left - sent, CHUNK_BYTES))
            self._channel.write(data)
            if not self._channel.can_write:
                await self._channel.drain()
            if not self._channel.is_open:
                raise ConnectionResetError("the connection is closed")
            if is_last:
                return sent

    def _read(self, most: int) -> bytes:
        """Return the next bytes of the file under way; in a thread."""
        if self.out.data:
            start = self.out.size_bytes - self._file_left
            data = self.out.data[start : start + most]
        else:
            if self._file is None:
                raise _changed(self._paths, self._left)
            data = os.pread(self._file.fileno(), min(most, self._file_left), self._offset)
            if not data:
                raise _changed([self._paths[self._index]], self._file_left)
        self._offset += len(data)
        self._file_left -= len(data)
        if self._digest is not None:
            self._digest.update(data)
        return data

    def _next_file(self) -> None:
        """Open the next file that has bytes, where the one before is done."""
        while not self._file_left:
            self.close()
            self._index += 1
            self._offset = 0
            if self.out.data:
                self._file_left = self.out.size_bytes
                return
            if self._index >= len(self._paths):
                return
            path = self._paths[self._index]
            self._file = Path(path).open("rb", buffering=0)  # noqa: SIM115
            size = os.fstat(self._file.fileno()).st_size
            if self.out.parts and self.out.parts[self._index].size_bytes != size:
                raise _changed([path], self.out.parts[self._index].size_bytes - size)
            self._file_left = size

    async def _skip(self, size: int) -> None:
        """Pass over what the other side has."""
        self._left -= size
        while size:
            self._next_file()
            piece = min(size, self._file_left)
            if self._digest is None:
                self._offset += piece
                self._file_left -= piece
            else:
                piece = len(
                    await asyncio.get_running_loop().run_in_executor(
                        None, self._read, min(piece, CHUNK_BYTES)
                    )
                )
            size -= piece


def _changed(paths: Sequence[str], missing: int) -> TransferError:
    names = ", ".join(Path(path).name for path in paths)
    how = f"{missing} bytes are missing" if missing > 0 else f"there are {-missing} bytes more"
    return TransferError(f"{names} changed while being sent: {how}")
