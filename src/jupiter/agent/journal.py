"""The journal of one run on one node: what was written down, in order, and what a restart finds.

One file, only ever appended to. A record that must outlive the process is written at once, which
costs a system call; one that must outlive a power cut is written and synced by a thread, behind the
files that it speaks of and together with all others that wait (group commit). Small bodies go into
the entry itself, so that one sync makes record and content safe.

Chosen by measurement before SQLite in WAL mode: docs/design.md has the figures.
"""

from __future__ import annotations

import asyncio
import errno
import os
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jupiter.aio.clock import wall_s
from jupiter.aio.failpoints import hit
from jupiter.aio.log import get_log
from jupiter.control.compaction import Worth, slim, weigh
from jupiter.kit import entries
from jupiter.model.records import Record

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Reasons of a failed write that pass when somebody makes room."""
FULL_WAIT_S = 0.2
"""Between two tries to write on a full disk."""
COMPACT_BYTES = 8 << 20
"""A journal is not compacted before it has grown by so much."""
PIECE_BYTES = 1 << 20
"""Of a journal that are in memory at once, where nobody waits for it."""
_LENGTH = struct.Struct(">I")


class Entry(msgspec.Struct, array_like=True):
    """What is written of one record.

    Attributes:
        record: It.
        place: Folder of the files that belong to it, within the spool; empty where there are none.
        written_s: When it was written down, since 1970.
    """

    record: Record
    place: str = ""
    written_s: float = 0.0


class Found:
    """Entries that a restart finds, oldest first; there may be very many.

    Attributes:
        records: Of all entries.
        places: As for `Entry`.
        written_s: As for `Entry`.
        payloads: The entries, as they lie in the journal.
    """

    __slots__ = ("payloads", "places", "records", "written_s")

    def __init__(self, payloads: list[memoryview]) -> None:
        found = [_read(payload) for payload in payloads]
        self.records = [entry.record for entry in found]
        self.places = [entry.place for entry in found]
        self.written_s = [entry.written_s for entry in found]
        self.payloads = payloads

    def bodies(self, k: int) -> memoryview:
        """Return the contents of the files of an entry that went into the journal with it."""
        return _bodies(self.payloads[k])


@dataclass(frozen=True, slots=True)
class _Job:
    """What has to be synced before something may follow.

    Attributes:
        payload: Of an entry; None where only files are synced.
    """

    payload: bytes | None
    files: Sequence[str]
    folders: Sequence[str]
    then: Callable[[], None]


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Entry)


class Journal:
    """One journal, written by one process.

    Args:
        path: Its file; made where it does not exist.
        on_broken: Called with a reason when the disk can no longer be trusted: nothing was
            acknowledged that is not safe, and the process must end and recover.
    """

    def __init__(self, path: Path, on_broken: Callable[[str], None]) -> None:
        self._path = path
        self._on_broken = on_broken
        self._fd = -1
        self._number = 0
        self._size = 0
        self._compacted_bytes = 0
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._staged: list[_Job] = []
        self._stuck: deque[tuple[bytes, Callable[[], None]]] = deque()
        self._is_busy = False
        self._is_closed = False
        self.gaps: list[tuple[int, str]] = []
        """Damage that was found when it was opened."""
        self.syncs = 0
        """Times that it was synced."""
        self.is_full = False
        """The disk took nothing when it was last written to."""
        self._log = get_log(run=path.parent.name)
        self.tail_bytes = 0
        """Bytes of an entry that a crash had cut short, and that were removed."""

    @property
    def size_bytes(self) -> int:
        """Length of the file."""
        return self._size

    def open(self) -> Found:
        """Read what is there, cut off what a crash left half written, and get ready to append.

        Raises:
            OSError: The file cannot be read or written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileNotFoundError):
            self._path.with_suffix(".new").unlink()
        is_new = not self._path.exists()
        scan = entries.scan(b"" if is_new else self._path.read_bytes())
        self.gaps, self.tail_bytes = scan.gaps, scan.tail_bytes
        self._number, self._size = scan.next_number, scan.good_bytes
        self._fd = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if self.tail_bytes:
            os.ftruncate(self._fd, self._size)
        if is_new:
            _sync_folder(str(self._path.parent))
        self._compacted_bytes = self._size
        return Found(scan.payloads)

    def close(self) -> None:
        """Write nothing more; what is under way is finished, and nobody is told."""
        self._is_closed = True
        self._thread.shutdown(wait=True)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    # -- writing -------------------------------------------------------------------------------

    def append(self, record: Record, then: Callable[[], None], place: str = "") -> bool:
        """Write a record so that it outlives this process.

        Args:
            record: It.
            then: Called later, where the disk is full now.
            place: As for `Entry`.

        Returns:
            Whether it is written; else `then` will be called.
        """
        payload = _payload(Entry(record, place, _now_s()), ())
        hit("journal.append")
        if not self._stuck and self._write([payload]):
            hit("journal.appended")
            self._compact_if_grown()  # where nothing is synced, too
            return True
        self._stuck.append((payload, then))
        if len(self._stuck) == 1:
            asyncio.get_running_loop().call_later(FULL_WAIT_S, self._retry)
        return False

    def sync(
        self,
        record: Record,
        then: Callable[[], None],
        *,
        place: str = "",
        bodies: Iterable[bytes] = (),
        files: Sequence[str] = (),
        folders: Sequence[str] = (),
    ) -> None:
        """Write a record so that it outlives a power cut, behind its files; then call `then`.

        Args:
            record: It.
            then: What may follow.
            place: As for `Entry`.
            bodies: Contents of its files, to be written into the entry.
            files: Files that are synced before.
            folders: Folders that are synced before, so that the files have their names.
        """
        payload = _payload(Entry(record, place, _now_s()), bodies)
        self._staged.append(_Job(payload, files, folders, then))
        self._begin()

    def sync_files(
        self, files: Sequence[str], folders: Sequence[str], then: Callable[[], None]
    ) -> None:
        """Make files safe; then call `then`."""
        self._staged.append(_Job(None, files, folders, then))
        self._begin()

    def _write(self, payloads: list[bytes]) -> bool:
        """Append entries, all or none; return False where the disk is full."""
        with self._lock:
            number = self._number
            data = b"".join([entries.pack(number + k, each) for k, each in enumerate(payloads)])
            written = 0
            try:
                while written < len(data):
                    written += os.write(self._fd, data[written:] if written else data)
            except OSError as error:
                if written:
                    os.ftruncate(self._fd, self._size)
                if error.errno in FULL:
                    self._note_full(is_full=True)
                    return False
                raise
            if self.is_full:
                self._note_full(is_full=False)
            self._number = number + len(payloads)
            self._size += len(data)
        return True

    def _note_full(self, *, is_full: bool) -> None:
        if is_full != self.is_full:
            self.is_full = is_full
            self._log.warning("disk.full" if is_full else "disk.room", what="journal")

    def _retry(self) -> None:
        while self._stuck and not self._is_closed:
            try:
                is_written = self._write([self._stuck[0][0]])
            except OSError as error:
                self._fail(error)
                return
            if not is_written:
                asyncio.get_running_loop().call_later(FULL_WAIT_S, self._retry)
                return
            self._stuck.popleft()[1]()

    # -- group commit --------------------------------------------------------------------------

    def _begin(self) -> None:
        if self._is_busy or not self._staged or self._is_closed:
            return
        self._is_busy = True
        batch, self._staged = self._staged, []
        self._submit(lambda: self._commit(batch), lambda is_done: self._committed(batch, is_done))

    def _commit(self, batch: list[_Job]) -> bool:
        hit("journal.sync")
        for file in dict.fromkeys(file for job in batch for file in job.files):
            _sync_file(file)
        for folder in dict.fromkeys(folder for job in batch for folder in job.folders):
            _sync_folder(folder)
        hit("journal.files-synced")
        payloads = [job.payload for job in batch if job.payload is not None]
        if payloads:
            if not self._write(payloads):
                return False
            hit("journal.written")
            os.fdatasync(self._fd)
            self.syncs += 1
        hit("journal.synced")
        return True

    def _committed(self, batch: list[_Job], is_done: bool) -> None:
        if not is_done:  # the disk is full
            self._staged = batch + self._staged
            self._is_busy = False
            asyncio.get_running_loop().call_later(FULL_WAIT_S, self._begin)
            return
        self._is_busy = False
        self._begin()
        hit("journal.kept")
        for job in batch:
            job.then()
        self._compact_if_grown()

    def _submit(self, work: Callable[[], bool], then: Callable[[bool], None]) -> None:
        loop = asyncio.get_running_loop()

        def done(future: Future[bool]) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(finish, future)

        def finish(future: Future[bool]) -> None:
            if self._is_closed:
                return
            error = future.exception()
            if error is not None:
                self._fail(error)
            else:
                then(future.result())

        self._thread.submit(work).add_done_callback(done)

    def _fail(self, error: BaseException) -> None:
        """A failed write or sync is never tried again: what the kernel still holds is unknown."""
        self._is_closed = True
        self._on_broken(f"the journal {self._path} cannot be written: {error}")

    # -- compaction ----------------------------------------------------------------------------

    def _compact_if_grown(self) -> None:
        if self._size > 2 * self._compacted_bytes + COMPACT_BYTES:
            self.compact()

    def compact(self) -> None:
        """Write anew what is still worth keeping, in the background."""
        if self._is_busy or self._is_closed:
            return
        self._is_busy = True
        before = self._size

        def end(is_done: bool) -> None:
            if is_done:
                self._log.info("journal.compacted", before_bytes=before, bytes=self._size)
            else:
                self._compacted_bytes = self._size // 2  # when it has grown again
            self._is_busy = False
            self._begin()

        self._submit(self._compact, end)

    def _compact(self) -> bool:
        """Return whether there was room for it."""
        hit("journal.compact")
        new_path = self._path.with_suffix(".new")
        try:
            self._rewrite(new_path)
        except OSError as error:
            if error.errno not in FULL or not new_path.exists():  # else it is the journal by now
                raise
            new_path.unlink()
            return False
        hit("journal.swapped")
        return True

    def _rewrite(self, new_path: Path) -> None:
        end = self._size
        worths = weigh([slim(_read(payload).record) for payload in _pieces(self._fd, end)])
        number = 0
        with new_path.open("wb") as file:
            for payload, worth in zip(_pieces(self._fd, end), worths, strict=True):
                if worth is not Worth.NOTHING:
                    kept = bytes(payload) if worth is Worth.ALL else _without_bodies(payload)
                    file.write(entries.pack(number, kept))
                    number += 1
            file.flush()
            os.fsync(file.fileno())
            hit("journal.compacted")
            with self._lock:  # nothing is appended meanwhile
                tail = entries.scan(_pread(self._fd, end, self._size - end), first_number=None)
                for late in tail.payloads:
                    file.write(entries.pack(number, bytes(late)))
                    number += 1
                file.flush()
                os.fsync(file.fileno())
                size = file.tell()
                new_path.replace(self._path)
                _sync_folder(str(self._path.parent))
                old, self._fd = (
                    self._fd,
                    os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC),
                )
                os.close(old)
                self._number, self._size, self._compacted_bytes = number, size, size

    def weighed(self, worth_bytes: int) -> None:
        """Note how much of what was found is worth keeping: by that its growth is measured."""
        self._compacted_bytes = min(worth_bytes, self._size)

    def rewrite(self, payloads: Iterable[memoryview]) -> None:
        """Replace the journal by some of its entries, before anything is appended.

        Raises:
            OSError: It cannot be written.
        """
        new_path = self._path.with_suffix(".new")
        with new_path.open("wb") as file:
            number = 0
            for payload in payloads:
                file.write(entries.pack(number, bytes(payload)))
                number += 1
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        new_path.replace(self._path)
        _sync_folder(str(self._path.parent))
        os.close(self._fd)
        self._fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        self._number, self._size, self._compacted_bytes = number, size, size

    def entries(self) -> Iterator[tuple[Entry, memoryview]]:
        """Yield all entries that there are now, with the contents of their files."""
        with self._lock:
            fd, end = os.dup(self._fd), self._size
        try:
            for payload in _pieces(fd, end):
                yield _read(payload), _bodies(payload)
        finally:
            os.close(fd)

    def bodies_of(self, place: str) -> bytes:
        """Return the contents that went into the journal with a folder, the newest; or nothing."""
        found = b""
        for entry, bodies in self.entries():
            if entry.place == place and bodies:
                found = bytes(bodies)
        return found


def _payload(entry: Entry, bodies: Iterable[bytes]) -> bytes:
    head = _ENCODER.encode(entry)
    return b"".join((_LENGTH.pack(len(head)), head, *bodies))


def _now_s() -> float:
    return round(wall_s(), 4)  # digits cost bytes in every entry


def _read(payload: memoryview) -> Entry:
    (length,) = _LENGTH.unpack_from(payload)
    return _DECODER.decode(payload[4 : 4 + length])


def _bodies(payload: memoryview) -> memoryview:
    return payload[_LENGTH.size + _LENGTH.unpack_from(payload)[0] :]


def _without_bodies(payload: memoryview) -> bytes:
    entry = _read(payload)
    return _payload(Entry(entry.record, written_s=entry.written_s), ())


def _pieces(fd: int, end: int) -> Iterator[memoryview]:
    """Yield what the whole entries hold, up to a place; not all is in memory at once."""
    place, size = 0, PIECE_BYTES
    while place < end:
        data = _pread(fd, place, min(size, end - place))
        found = entries.scan(data, first_number=None)
        if found.good_bytes:
            yield from found.payloads
            place, size = place + found.good_bytes, PIECE_BYTES
        elif len(data) == size:
            size *= 2  # there is a longer entry
        else:
            return  # no entry any more


def _pread(fd: int, start: int, size: int) -> bytes:
    pieces = []
    while size:
        piece = os.pread(fd, size, start)
        if not piece:
            break
        pieces.append(piece)
        start += len(piece)
        size -= len(piece)
    return b"".join(pieces)


def _sync_file(path: str) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # dropped meanwhile: nobody needs it any more
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_folder(path: str) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
