"""What happened in virtual time, in the records of a real run."""

from __future__ import annotations

from dataclasses import dataclass, field

from jupiter.model import actions as act
from jupiter.model.ids import NodeId, item_id
from jupiter.model.items import Delivery
from jupiter.model.records import Ending
from jupiter.model.run import ItemRecord, TaskRecord, TransferRecord
from jupiter.simulator.tasks import Outcome


@dataclass
class Recorded:
    """Keeps records; all times are the world's.

    Attributes:
        items: In the order in which they ended.
        tasks: In the order in which executions ended.
        transfers: In the order in which deliveries arrived.
    """

    items: list[ItemRecord] = field(default_factory=list)
    tasks: list[TaskRecord] = field(default_factory=list)
    transfers: list[TransferRecord] = field(default_factory=list)
    _accepted: dict[int, tuple[str, float, float]] = field(default_factory=dict)

    def accepted(self, accept: act.Accept, offered_s: float, now_s: float) -> None:
        """Note that the stream took an input."""
        self._accepted[accept.seq] = accept.name, offered_s, now_s

    def accepted_s(self, seq: int) -> float:
        """Return when an item was accepted."""
        return self._accepted[seq][2]

    def ended(self, ending: Ending, now_s: float) -> None:
        """Note that an item ended."""
        name, offered_s, accepted_s = self._accepted.get(ending.seq, ("", 0.0, 0.0))
        self.items.append(
            ItemRecord(
                item=item_id(ending.seq),
                name=name,
                offered_s=offered_s,
                accepted_s=accepted_s,
                done_s=now_s,
                status=ending.outcome,
                detail=ending.detail,
                results=ending.results,
            )
        )

    def executed(
        self, node: NodeId, run: act.Run, outcome: Outcome, times: tuple[float, float, float]
    ) -> None:
        """Note that an attempt ended.

        Args:
            node: Where it ran.
            run: What.
            outcome: How.
            times: When its inputs were there, it began and it ended.
        """
        enter_s, execute_s, finish_s = times
        self.tasks.append(
            TaskRecord(
                item=run.item,
                task=run.task,
                node=node,
                enter_s=enter_s,
                execute_s=execute_s,
                finish_s=finish_s,
                attempt=run.attempt[1],
                input_bytes=sum([each.size_bytes for each in run.inputs]),
                output_bytes=sum([part.size_bytes for part in outcome.parts]),
                status="failed" if outcome.error else "done",
                detail=outcome.error,
            )
        )

    def transferred(
        self,
        delivery: Delivery,
        route: tuple[NodeId, NodeId],
        size_bytes: float,
        sent_s: float,
        now_s: float,
    ) -> None:
        """Note that a delivery arrived, from the first node of a route on the second."""
        self.transfers.append(
            TransferRecord(
                delivery.item,
                delivery.source,
                delivery.target,
                route[0],
                route[1],
                round(size_bytes),
                sent_s,
                now_s,
            )
        )
