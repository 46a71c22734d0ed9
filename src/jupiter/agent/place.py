"""Where a run lives on an agent, and what it needs of the agent."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from jupiter.agent.keeper import INLINE_BYTES
from jupiter.agent.outgoing import Outgoing
from jupiter.agent.spool import MEMORY_FILE_BYTES
from jupiter.agent.status import Tally
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId


@dataclass(frozen=True)
class Place:
    """The node of a run, and what the run may have of it.

    Attributes:
        node: Name.
        cores: Executions of one core each that can run here at once.
        folder: For everything of the run; made where it does not exist.
        incarnation: As for `NodeConfig`.
        life: Of the process, as for `FactBook`.
        cache: Folder in memory, for files that may be lost with the machine or are small enough
            to be in the journal, too; None where there is none.
        cache_bytes: That may be used of it.
        tally: Counts what happens.
    """

    node: NodeId
    cores: int
    folder: Path
    incarnation: int
    life: int
    cache: Path | None = None
    cache_bytes: int = 0
    tally: Tally = field(default_factory=Tally)

    @property
    def spool_roots(self) -> tuple[Path, ...]:
        """Where the files of a run are: on the disk and, where that will do, in memory."""
        disk = self.folder / "spool"
        return (disk,) if self.cache is None else (disk, self.cache)

    def memory_file_bytes(self, order: msg.Prepare) -> int:
        """Return how large a file in memory may be."""
        may_be_lost = order.durability == "none" or (
            order.durability == "ingress" and self.node != order.home
        )
        return MEMORY_FILE_BYTES if may_be_lost else INLINE_BYTES


class Agency(Protocol):
    """The agent, as a run sees it."""

    def post(self, node: NodeId, out: Outgoing) -> None:
        """Send a message to another node, as far as the way to it works."""

    def report(self, message: msg.Facts) -> None:
        """Tell home, if home is there."""

    def renew(self) -> int:
        """Return another incarnation of this node, as it may have lost what it wrote down."""
        ...

    def die(self, reason: str) -> None:
        """End this process at once, as after a power cut: its disk cannot be trusted."""
