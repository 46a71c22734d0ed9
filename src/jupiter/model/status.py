"""What an agent says of itself when it is asked; plain numbers, so that asking costs little.

Counts begin with the process of the agent, and never fall in it.
"""

from __future__ import annotations

import msgspec

from jupiter.model.ids import NodeId, TaskId
from jupiter.model.items import Outcome


class TaskStatus(msgspec.Struct, frozen=True):
    """One task on one node.

    Attributes:
        task: Its name.
        is_here: The view maps it here.
        waiting: Items that miss an input.
        queued: Executions that wait for a core, or for another try.
        running: Attempts under way.
        done: Attempts that gave outputs.
        failed: Attempts that gave none.
        seconds: Of all attempts, together.
        p50_s: Median of the last attempts.
        workers: Processes that are ready for it, or at work.
        last_error: Of the last attempt that failed: its item, and the reason in one line.
    """

    task: TaskId
    is_here: bool = False
    waiting: int = 0
    queued: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    seconds: float = 0.0
    p50_s: float = 0.0
    workers: int = 0
    last_error: tuple[str, str] = ("", "")


class LinkStatus(msgspec.Struct, frozen=True):
    """The way from one node to another.

    Attributes:
        node: The other one.
        words: Given to the link; what is sent again counts again.
        sent_bytes: Of the bodies of these words.
        received: Complete deliveries that came the other way.
        received_bytes: Of them.
        queued: Words that the other node has not acknowledged.
        queued_bytes: Of their bodies.
        reconnects: Times that the way worked again after a loss.
    """

    node: NodeId
    words: int = 0
    sent_bytes: int = 0
    received: int = 0
    received_bytes: int = 0
    queued: int = 0
    queued_bytes: int = 0
    reconnects: int = 0


class EntryStatus(msgspec.Struct, frozen=True):
    """The two ends of a stream; on home's node only.

    Attributes:
        offered: Inputs that were named.
        waiting: Of them, those that are no items yet.
        in_flight: Items that count against the limit.
        accepted: Inputs that became items.
        ended: Items by outcome.
        per_s: Items that ended a second, lately.
        is_closed: No more inputs will come.
    """

    offered: int = 0
    waiting: int = 0
    in_flight: int = 0
    accepted: int = 0
    ended: dict[Outcome, int] = {}
    per_s: float = 0.0
    is_closed: bool = False


class RunStatus(msgspec.Struct, frozen=True):
    """One run on one node.

    Attributes:
        run: Its name.
        epoch: Of the view.
        members: That take part by the view; more may have begun.
        is_member: This node does.
        tasks: All that may run here.
        open: Entries about items that have not ended.
        spool_bytes: Of the files that are kept.
        spool_files: Their count.
        journal_bytes: Length of the journal; 0 where there is none.
        syncs: Times that it was synced.
        is_full: The disk takes no more now.
        unreported: Records that home does not have yet.
        entry: None on other nodes than home's.
        problem: Why the run cannot go on; empty where it can.
    """

    run: str
    epoch: int = 0
    members: tuple[NodeId, ...] = ()
    is_member: bool = True
    tasks: tuple[TaskStatus, ...] = ()
    open: int = 0
    spool_bytes: int = 0
    spool_files: int = 0
    journal_bytes: int = 0
    syncs: int = 0
    is_full: bool = False
    unreported: int = 0
    entry: EntryStatus | None = None
    problem: str = ""


class NodeStatus(msgspec.Struct, frozen=True):
    """One agent.

    Attributes:
        node: Its name.
        pid: Of its process.
        life: Counts its processes.
        uptime_s: Since this one started.
        at_s: When this was said, on the agent's clock.
        has_home: The command that started it is connected.
        cores: Executions of one core each that can run at once.
        rss_bytes: Memory of the agent, without its workers.
        fds: Open files.
        workers: Processes of tasks.
        free_bytes: That the disk has left.
        links: To all other nodes.
        runs: It works on.
    """

    node: NodeId
    pid: int
    life: int
    uptime_s: float
    at_s: float
    has_home: bool
    cores: int
    rss_bytes: int
    fds: int
    workers: int
    free_bytes: int
    links: tuple[LinkStatus, ...] = ()
    runs: tuple[RunStatus, ...] = ()
