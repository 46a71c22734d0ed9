"""Has a transport bring large bodies to a peer, and checks what a transport has brought here."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from jupiter.agent.outgoing import Outgoing
from jupiter.errors import TransferError
from jupiter.interfaces.transport import Place, Transport
from jupiter.kit.backoff import delay_s
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId
from jupiter.model.items import Part

TRIES_MAX = 8
ARRIVALS_MAX = 256
"""Folders that were given to senders and not taken back; the oldest are, then."""

Key = tuple[str, int]


class Carrier:
    """Sends bodies of one link by a transport.

    Args:
        transport: Brings files.
        host: Of the peer.
        say: Says words to the peer.
        on_failed: Called with the reason when a body can never be brought.
        bodies_max: That are brought at once.
    """

    def __init__(
        self,
        transport: Transport,
        host: str,
        say: Callable[[msg.Message], None],
        on_failed: Callable[[object], None],
        bodies_max: int,
    ) -> None:
        self._transport = transport
        self._host = host
        self._say = say
        self._on_failed = on_failed
        self._turns = asyncio.Semaphore(bodies_max)
        self._folders: dict[Key, asyncio.Future[str]] = {}
        self._jobs: dict[Key, asyncio.Task[None]] = {}

    def takes(self, out: Outgoing) -> bool:
        """Return whether a message goes this way: a large body whose parts have digests."""
        return out.key is not None and out.is_checked and not out.is_small

    def post(self, out: Outgoing) -> None:
        """Bring a body, then say its word."""
        key = out.key
        if key is None or key in self._jobs:
            return
        job = self._jobs[key] = asyncio.ensure_future(self._carry(key, out))
        job.add_done_callback(lambda job: self._done(key, job))

    def there(self, message: msg.There) -> None:
        """Note which folder the peer has made for a body."""
        future = self._folders.get((message.run, message.number))
        if future is not None and not future.done():
            future.set_result(message.folder)

    def forget(self) -> None:
        """Give up everything: the connection to the peer was lost."""
        jobs, self._jobs = self._jobs, {}
        for job in jobs.values():
            job.cancel()

    async def close(self) -> None:
        """Give up everything for good."""
        jobs = list(self._jobs.values())
        self.forget()
        await asyncio.gather(*jobs, return_exceptions=True)
        await self._transport.close()

    def _done(self, key: Key, job: asyncio.Task[None]) -> None:
        if self._jobs.get(key) is job:
            del self._jobs[key]
            self._folders.pop(key, None)

    async def _carry(self, key: Key, out: Outgoing) -> None:
        async with self._turns:
            for attempt in range(1, TRIES_MAX + 1):
                paths = out.paths()
                if paths is None:
                    return
                folder = self._folders[key] = asyncio.get_running_loop().create_future()
                self._say(msg.Where(*key))
                place = Place(self._host, await folder)
                files = [(path, str(k)) for k, path in enumerate(paths)]
                try:
                    await self._transport.bring(files, place)
                except TransferError as error:
                    if not error.can_retry or attempt == TRIES_MAX:
                        self._on_failed(error)
                        return
                    await asyncio.sleep(delay_s(attempt))
                else:
                    self._say(msgspec.structs.replace(out.message, placed=place.folder))
                    return


@dataclass(frozen=True)
class Arrived:
    """What a transport has brought.

    Attributes:
        folder: The receiver's again.
        paths: Of the parts.
        fault: Which part is not what it should be; empty where all are.
    """

    folder: str
    paths: list[str]
    fault: str


class Arrivals:
    """The folders of one run that transports bring bodies to.

    Args:
        new_folder: Returns an empty folder.
        discard: Takes one back, with what is in it.
    """

    def __init__(self, new_folder: Callable[[], str], discard: Callable[[str], None]) -> None:
        self._new_folder = new_folder
        self._discard = discard
        self._given: dict[tuple[NodeId, int], str] = {}

    def open(self, sender: NodeId, number: int) -> str:
        """Return a folder for the body of a word; the same where it was asked for before."""
        key = (sender, number)
        folder = self._given.pop(key, None) or self._new_folder()
        self._given[key] = folder
        if len(self._given) > ARRIVALS_MAX:
            self._discard(self._given.pop(next(iter(self._given))))
        return folder

    async def take(
        self, sender: NodeId, number: int, placed: str, parts: Sequence[Part]
    ) -> Arrived | None:
        """Check what came; return None where no such folder was given for the word."""
        if self._given.get((sender, number)) != placed:
            return None
        del self._given[sender, number]
        paths = [f"{placed}/{k}" for k in range(len(parts))]
        loop = asyncio.get_running_loop()
        return Arrived(placed, paths, await loop.run_in_executor(None, _fault, paths, parts))


def _fault(paths: Sequence[str], parts: Sequence[Part]) -> str:
    for path, part in zip(paths, parts, strict=True):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            return f"part {part.name} was not brought: {error.strerror}"
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_size != part.size_bytes:
                return f"part {part.name} was not brought whole"
            if hashlib.file_digest(file, "sha256").hexdigest() != part.digest:
                return f"part {part.name} is not what its digest says"
    return ""
