"""What other nodes say to one run: checked, stored, and handed to the machines."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

from jupiter.agent.carrying import Arrivals
from jupiter.agent.facts import FactBook
from jupiter.agent.journal import FULL
from jupiter.agent.outgoing import Outgoing
from jupiter.agent.partials import Partials
from jupiter.agent.place import Agency
from jupiter.agent.receiving import BodyFiles, Discard, body_fault, write_parts
from jupiter.agent.spool import MEMORY_FILE_BYTES, Spool
from jupiter.aio.bodies import BodySink
from jupiter.aio.failpoints import hit
from jupiter.aio.log import get_log
from jupiter.errors import TransferError
from jupiter.model import messages as msg
from jupiter.model import words
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.items import Delivery

FULL_WAIT_S = 0.5
"""After which a sender whose delivery found a full disk is asked to say it again."""


class Receiver(Protocol):
    """The run, as its intake sees it."""

    def wants(self, delivery: Delivery) -> bool:
        """Return whether the parts of a delivery must be stored."""

    def received(self, message: msg.Say, sender: NodeId) -> None:
        """Take a word that has come with all its parts."""

    def broken(self, reason: str) -> None:
        """Tell home that this run cannot go on."""


class Intake:
    """Takes in what comes.

    Args:
        order: Of the run.
        known: Tasks that deliveries may be for.
        spool: Takes the parts.
        facts: Hears of what has come.
        agency: The way back to the sender.
        receiver: The run.
    """

    def __init__(
        self,
        order: msg.Prepare,
        known: Collection[TaskId],
        spool: Spool,
        facts: FactBook,
        agency: Agency,
        receiver: Receiver,
    ) -> None:
        self._run = order.run
        self._known = known
        self._spool = spool
        self._facts = facts
        self._agency = agency
        self._receiver = receiver
        self._log = get_log(run=order.run)
        self._is_stopped = False
        self._timers: set[asyncio.TimerHandle] = set()
        # Whom a full disk has refused, until they are asked to say it again.
        self._refused: dict[NodeId, None] = {}
        self._jobs: set[asyncio.Task[None]] = set()

        def new_folder() -> str:
            return spool.new_folder("out", MEMORY_FILE_BYTES + 1)

        self._partials = Partials(new_folder, spool.discard, is_durable=order.durability == "hop")
        self.arrivals = Arrivals(new_folder, spool.discard)
        """Folders that transports bring bodies to."""

    def stop(self) -> None:
        """Take nothing more."""
        self._is_stopped = True
        for timer in self._timers:
            timer.cancel()
        for job in self._jobs:
            job.cancel()
        self._partials.close()

    def receive(self, message: msg.Say, body: bytes, sender: NodeId) -> None:
        """Take in a word; its body, if any, is short and complete.

        Raises:
            TransferError: It cannot be what another node of this run says.
            OSError: It cannot be stored, and room would not help.
        """
        word = message.word
        if isinstance(word, words.Deliver):
            delivery = word.delivery
            if message.placed and delivery.target in self._known:
                job = asyncio.ensure_future(self._take_placed(message, delivery, sender))
                self._jobs.add(job)
                job.add_done_callback(self._jobs.discard)
                return
            if self._wants(delivery, len(body)):
                fault = body_fault(delivery.parts, body)
                if fault:
                    self._spoilt(message, sender, fault)
                    return
                try:
                    self._store(delivery, body)
                except OSError as error:
                    self._spool.forget_inputs(delivery)
                    self._refuse(sender, error)
                    return
                self._facts.transfer(delivery, sender, message.sent_s)
        self._receiver.received(message, sender)

    def receive_long(self, message: msg.Say, size: int, sender: NodeId) -> BodySink:
        """Return where the long body of a delivery goes.

        Raises:
            TransferError: The word has no such body.
        """
        word = message.word
        if not isinstance(word, words.Deliver):
            raise TransferError(f"{type(word).__name__} has no body")
        delivery = word.delivery
        if not self._wants(delivery, size):
            return Discard(lambda: self._passed_over(message, delivery, sender), size)
        return BodyFiles(
            self._partials,
            delivery,
            on_finish=lambda folder, paths: self._take_files(
                message, delivery, sender, folder, paths
            ),
            on_spoilt=lambda fault: self._spoilt(message, sender, fault),
            on_error=lambda error: self._cannot_write(sender, error),
        )

    def _passed_over(self, message: msg.Say, delivery: Delivery, sender: NodeId) -> None:
        """Take a word whose body was not stored, unless it is needed by now.

        While a body comes in, the epoch may begin that it belongs to.
        """
        if self._receiver.wants(delivery):
            self._agency.post(sender, Outgoing(msg.Again(self._run)))
        else:
            self._receiver.received(message, sender)

    def _take_files(
        self, message: msg.Say, delivery: Delivery, sender: NodeId, folder: str, paths: list[str]
    ) -> None:
        # Meanwhile another epoch may have begun, or the same may have come another way.
        if self._is_stopped:
            return
        try:
            if self._receiver.wants(delivery):
                self._spool.take_in(delivery, paths)
                hit("body.named")
                self._facts.transfer(delivery, sender, message.sent_s)
            self._spool.discard(folder)
        except OSError as error:
            self._cannot_write(sender, error)
        else:
            self._receiver.received(message, sender)

    async def _take_placed(self, message: msg.Say, delivery: Delivery, sender: NodeId) -> None:
        """Take in what a transport has brought."""
        number, parts = message.number, delivery.parts
        arrived = await self.arrivals.take(sender, number, message.placed, parts)
        if self._is_stopped:
            return
        if arrived is None:
            self._spoilt(message, sender, "nothing was brought")
        elif arrived.fault:
            self._spool.discard(arrived.folder)
            self._spoilt(message, sender, arrived.fault)
        else:
            self._take_files(message, delivery, sender, arrived.folder, arrived.paths)

    def _wants(self, delivery: Delivery, size: int) -> bool:
        if delivery.target not in self._known:
            raise TransferError(f"there is no task {delivery.target} in run {self._run}")
        if delivery.size_bytes != size:
            raise TransferError(f"a delivery of {delivery.size_bytes} bytes has a body of {size}")
        return self._receiver.wants(delivery)

    def _store(self, delivery: Delivery, body: bytes) -> None:
        if delivery.parts and not self._spool.carry(delivery):
            hit("body.write")
            paths = self._spool.open_inputs(delivery)
            write_parts(paths, [part.size_bytes for part in delivery.parts], body)
            hit("body.written")

    def _refuse(self, sender: NodeId, error: OSError) -> None:
        """Take nothing while the disk is full: the sender keeps it, and is asked for it again."""
        if error.errno not in FULL:
            raise error
        if sender in self._refused:
            return  # one question for all: each answer is everything that is under way
        self._refused[sender] = None
        self._log.warning("disk.full", what="spool", sender=sender)

        def ask() -> None:
            self._timers.discard(handle)
            del self._refused[sender]
            self._agency.post(sender, Outgoing(msg.Again(self._run)))

        handle = asyncio.get_running_loop().call_later(FULL_WAIT_S, ask)
        self._timers.add(handle)

    def _cannot_write(self, sender: NodeId, error: OSError) -> None:
        try:
            self._refuse(sender, error)
        except OSError:
            self._receiver.broken(f"a body cannot be written: {error}")

    def _spoilt(self, message: msg.Say, sender: NodeId, fault: str) -> None:
        """Have a body sent again that is not what its digests say."""
        self._agency.post(sender, Outgoing(msg.Spoilt(self._run, message.number, fault)))
