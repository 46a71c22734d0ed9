"""The facts of a run as they come, in a file: home can end at any moment and catch up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from jupiter.kit import entries
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId


class _Line(msgspec.Struct, array_like=True):
    node: NodeId
    facts: msg.Facts


class FactLog:
    """One file, only ever appended to.

    Args:
        path: Made where it does not exist; what a crash had cut short is cut off.

    Raises:
        OSError: It cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
        found = entries.scan(path.read_bytes())
        os.ftruncate(self._fd, found.good_bytes)
        self._number, self._size = found.next_number, found.good_bytes
        self.is_finished = bool(found.payloads) and _is_end(found.payloads[-1])
        """Whether the run has come to its end."""

    def add(self, node: NodeId, facts: msg.Facts) -> None:
        """Write facts down; what comes after the end of the run does not matter any more.

        Raises:
            OSError: They cannot be written.
        """
        if not self.is_finished:
            self._write(_ENCODER.encode(_Line(node, facts)))

    def finish(self) -> None:
        """Note that the run has come to its end."""
        self._write(_END)
        os.fsync(self._fd)
        self.is_finished = True

    def _write(self, payload: bytes) -> None:
        data = memoryview(entries.pack(self._number, payload))
        try:
            written = 0
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._number += 1
        self._size += len(data)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever written down."""
        return not self._number

    def read(self) -> Iterator[tuple[NodeId, msg.Facts]]:
        """Yield all that was written down."""
        yield from read_facts(self._path)

    def close(self) -> None:
        """Write nothing more."""
        os.close(self._fd)


def read_facts(path: Path) -> Iterator[tuple[NodeId, msg.Facts]]:
    """Yield what is written down; somebody else may be writing.

    Raises:
        OSError: The file cannot be read.
    """
    for payload in entries.scan(path.read_bytes()).payloads:
        if not _is_end(payload):
            line = _DECODER.decode(payload)
            yield line.node, line.facts


def _is_end(payload: memoryview) -> bool:
    return bytes(payload[: len(_END) + 1]) == _END


_END = b"end"
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Line)
