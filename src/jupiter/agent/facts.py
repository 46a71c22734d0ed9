"""What happened on this node for one run, collected and brought home in batches.

Home may be away. Batches are numbered and kept until home has them; beyond a bound the oldest
details are dropped and counted, never the ends of items.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jupiter.aio.clock import monotonic_s
from jupiter.aio.failpoints import hit
from jupiter.model import actions as act
from jupiter.model import messages as msg
from jupiter.model.ids import ItemId, NodeId, TaskId
from jupiter.model.items import Delivery, Part
from jupiter.model.run import TaskRecord, TransferRecord

FACTS_WAIT_S = 0.05
"""Facts are collected this long before they go home together."""
RECORDS_MAX = 200_000
"""Records of executions and transfers that wait for home; some 60 MiB."""
BATCH_MAX = 1000
"""Records in one message, so that none is too long."""


class FactBook:
    """The facts of one run on one node, until home has them.

    Args:
        run: Its name.
        node: This one.
        report: Brings facts home, if home is there.
        life: Tells batches of this process from those of an earlier one.
    """

    def __init__(
        self, run: str, node: NodeId, report: Callable[[msg.Facts], None], life: int = 0
    ) -> None:
        self._run = run
        self._node = node
        self._report = report
        self._life = life
        self._number = 0
        self._tasks: list[TaskRecord] = []
        self._transfers: list[TransferRecord] = []
        self._others: list[msg.Fact] = []
        self._open: dict[int, msg.Facts] = {}
        self._records = 0
        self._timer: asyncio.TimerHandle | None = None
        self.dropped = 0
        """Records that were dropped because home was away for too long."""

    def attempt(
        self,
        run: act.Run,
        *,
        execute_s: float,
        input_name: str,
        parts: tuple[Part, ...] = (),
        error: str = "",
    ) -> None:
        """Note the end of an attempt, which is now."""
        self._tasks.append(
            TaskRecord(
                item=run.item,
                task=run.task,
                node=self._node,
                enter_s=run.enter_s,
                execute_s=execute_s,
                finish_s=monotonic_s(),
                attempt=run.attempt[1],
                input_name=input_name,
                input_bytes=sum([each.size_bytes for each in run.inputs]),
                output_bytes=sum([part.size_bytes for part in parts]),
                status="failed" if error else "done",
                detail=error,
            )
        )
        self._soon()

    def transfer(self, delivery: Delivery, source: NodeId, sent_s: float) -> None:
        """Note a delivery that is here, complete and checked."""
        self._transfers.append(
            TransferRecord(
                item=ItemId(delivery.item),
                source_task=TaskId(delivery.source),
                target_task=TaskId(delivery.target),
                source=source,
                target=self._node,
                size_bytes=delivery.size_bytes,
                send_s=sent_s,
                arrive_s=monotonic_s(),
                file_names=tuple([part.name for part in delivery.parts]),
            )
        )
        self._soon()

    def note(self, fact: msg.Fact) -> None:
        """Note something else."""
        self._others.append(fact)
        self._soon()

    def flush(self) -> None:
        """Tell home what is noted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._tasks or self._transfers or self._others:
            self._number += 1
            facts = msg.Facts(
                run=self._run,
                tasks=tuple(self._tasks[:BATCH_MAX]),
                transfers=tuple(self._transfers[:BATCH_MAX]),
                others=tuple(self._others[:BATCH_MAX]),
                life=self._life,
                number=self._number,
            )
            del self._tasks[:BATCH_MAX], self._transfers[:BATCH_MAX], self._others[:BATCH_MAX]
            self._open[self._number] = facts
            self._records += len(facts.tasks) + len(facts.transfers)
            hit("facts.send")
            self._report(facts)
        if self._records > RECORDS_MAX:
            self._drop()

    @property
    def unreported(self) -> int:
        """Records that home does not have yet."""
        return self._records + len(self._tasks) + len(self._transfers)

    def taken(self, number: int) -> None:
        """Note that home has a batch."""
        hit("facts.acknowledged")
        facts = self._open.pop(number, None)
        if facts is not None:
            self._records -= len(facts.tasks) + len(facts.transfers)

    def again(self) -> None:
        """Tell home, which has come back, everything that it may not have."""
        for facts in list(self._open.values()):
            self._report(facts)

    def _drop(self) -> None:
        for number, facts in list(self._open.items()):
            count = len(facts.tasks) + len(facts.transfers)
            if self._records <= RECORDS_MAX:
                break
            if not count:
                continue
            self._records -= count
            self.dropped += count
            if facts.others:
                bare = msg.Facts(facts.run, (), (), facts.others, facts.life, number)
                self._open[number] = bare
            else:
                del self._open[number]

    def _soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FACTS_WAIT_S, self.flush)
