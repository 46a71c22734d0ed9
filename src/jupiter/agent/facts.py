"""What happened on this node for one run, collected and brought home in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from jupiter.aio.clock import monotonic_s
from jupiter.model import actions as act
from jupiter.model import messages as msg
from jupiter.model.ids import ItemId, NodeId, TaskId
from jupiter.model.items import Delivery, Part
from jupiter.model.run import TaskRecord, TransferRecord

FACTS_WAIT_S = 0.05
"""Facts are collected this long before they go home together."""

Fact = msg.Accepted | msg.Ended | msg.RunDrained | msg.Broken | msg.Changed | msg.Noted


class FactBook:
    """The facts of one run on one node, until they are told.

    Args:
        run: Its name.
        node: This one.
        report: Brings facts home.
    """

    def __init__(self, run: str, node: NodeId, report: Callable[[msg.Facts], None]) -> None:
        self._run = run
        self._node = node
        self._report = report
        self._tasks: list[TaskRecord] = []
        self._transfers: list[TransferRecord] = []
        self._others: list[Fact] = []
        self._timer: asyncio.TimerHandle | None = None

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

    def note(self, fact: Fact) -> None:
        """Note something else."""
        self._others.append(fact)
        self._soon()

    def flush(self) -> None:
        """Tell home what is noted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._tasks or self._transfers or self._others:
            facts = msg.Facts(
                self._run, tuple(self._tasks), tuple(self._transfers), tuple(self._others)
            )
            self._tasks, self._transfers, self._others = [], [], []
            self._report(facts)

    def _soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FACTS_WAIT_S, self.flush)
