"""The runs of one agent: prepared, found again after a restart, stopped."""

from __future__ import annotations

import asyncio
import gc
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from jupiter.agent.identity import ORDER, Home, write_safely
from jupiter.agent.place import Agency, Place
from jupiter.agent.run import AgentRun
from jupiter.agent.status import Books
from jupiter.agent.workers import House, WorkerPool
from jupiter.aio.failpoints import hit
from jupiter.aio.log import get_log
from jupiter.errors import TransferError
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId


class Runs:
    """The runs of one agent, by name.

    Args:
        node: Of the agent.
        cores: Executions of one core each that can run there at once.
        disk: Its data folder.
        cache: Its folder in memory; None where there is none.
        cache_bytes: That may be used of it.
        house: What its workers share.
        books: What it counts.
        agency: The agent.
    """

    def __init__(
        self,
        node: NodeId,
        cores: int,
        disk: Home,
        *,
        cache: Path | None,
        cache_bytes: int,
        house: House,
        books: Books,
        agency: Agency,
    ) -> None:
        self._node = node
        self._cores = cores
        self._disk = disk
        self._cache = cache
        self._cache_bytes = cache_bytes
        self._house = house
        self._books = books
        self._agency = agency
        self._data = disk.folder.absolute()
        self._log = get_log()
        self._runs: dict[str, AgentRun] = {}

    def __iter__(self) -> Iterator[AgentRun]:
        return iter(list(self._runs.values()))

    def __bool__(self) -> bool:
        return bool(self._runs)

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._runs)

    def get(self, name: str) -> AgentRun | None:
        """Return a run; None where it was stopped, or is not prepared."""
        return self._runs.get(name)

    # -- begin and end -------------------------------------------------------------------------

    async def prepare(self, order: msg.Prepare) -> None:
        """Get ready for a run; nothing changes where it is prepared already.

        Raises:
            TaskError: The code of a task cannot be loaded.
        """
        if order.run in self._runs:
            return
        hit("run.prepare")
        if order.is_late:
            self._disk.renew()  # whatever this node was told of the run before is lost
        pool = self._new_pool(order)
        here = [task for task, node in order.mapping.items() if node == self._node]
        try:
            if not order.is_late:
                found = await asyncio.gather(*map(pool.start, here), return_exceptions=True)
                for problem in found:
                    if problem is not None:
                        raise problem
            self._begin(order, pool)
        except BaseException:
            pool.close()
            raise
        hit("run.prepared")

    def stop(self, name: str) -> None:
        """End a run and remove everything of it."""
        run = self._runs.pop(name, None)
        if run is not None:
            run.stop()
            self._log.info("run.stopped", run=name)
        self._books.close(name)
        hit("run.stop")
        place = self._place(name)
        (place.folder / ORDER).unlink(missing_ok=True)  # first: without it nothing is restored
        for folder in filter(None, (place.folder, place.cache)):
            shutil.rmtree(folder, ignore_errors=True)
        hit("run.removed")

    # -- after a restart -----------------------------------------------------------------------

    def restore(self) -> None:
        """Go on with the runs that an earlier process of this node worked on."""
        gc.disable()  # what is read stays, and there may be much of it
        try:
            self._restore_all()
        finally:
            gc.freeze()
            gc.enable()

    def _restore_all(self) -> None:
        for path in sorted((self._data / "runs").glob(f"*/{ORDER}")):
            try:
                order = msgspec.json.decode(path.read_bytes(), type=msg.Prepare)
            except (OSError, msgspec.MsgspecError):
                shutil.rmtree(path.parent, ignore_errors=True)  # it was never prepared to the end
                continue
            if not self._restore(order):
                self._quarantine(order.run)
                self._disk.renew()
                late = msgspec.structs.replace(order, is_late=True)
                self._begin(late, self._new_pool(late))

    def _restore(self, order: msg.Prepare) -> bool:
        """Return whether a run goes on; else it must begin anew."""
        is_home = order.home == self._node
        place = self._place(order.run)
        # What was not synced may be gone: of a node between the ends nothing was, by agreement.
        is_cut = self._disk.is_new_boot or (place.cache is not None and not place.cache.exists())
        if is_cut and order.durability == "ingress" and not is_home:
            return False
        run = AgentRun(order, place, self._pool(order), self._agency)
        try:
            run.start()
        except TransferError as error:
            run.stop()
            if not is_home:
                return False
            run.broken(str(error))  # nobody else has what is missing
        self._runs[order.run] = run
        return True

    def _quarantine(self, run: str) -> None:
        """Put aside what is damaged, for whoever wants to know why."""
        folder = self._data / "quarantine"
        folder.mkdir(exist_ok=True, mode=0o700)
        target = folder / f"{run}-{self._disk.identity.life}"
        self._place(run).folder.rename(target)
        self._log.warning("run.quarantined", run=run, folder=str(target))

    # -- inside --------------------------------------------------------------------------------

    def _begin(self, order: msg.Prepare, pool: WorkerPool) -> None:
        """Begin a run of which nothing is on the disk."""
        place = self._place(order.run)
        run = AgentRun(order, place, pool, self._agency)
        self._runs[order.run] = run
        run.start()
        self._say_lacks(run, pool)
        if order.durability != "none":
            # Last: a run with this file can be restored.
            write_safely(place.folder / ORDER, msgspec.json.encode(order))

    def _say_lacks(self, run: AgentRun, pool: WorkerPool) -> None:
        if pool.lacks:
            lacks = f"node {self._node} isolates tasks in part: {'; '.join(pool.lacks)}"
            self._log.warning("isolation.in-part", run=run.name, lacks=list(pool.lacks))
            run.note(lacks)

    def _place(self, run: str) -> Place:
        return Place(
            node=self._node,
            cores=self._cores,
            folder=self._data / "runs" / run,
            incarnation=self._disk.identity.incarnation,
            life=self._disk.identity.life,
            cache=self._cache / run if self._cache is not None else None,
            cache_bytes=self._cache_bytes,
            tally=self._books.tally_of(run),
        )

    def _new_pool(self, order: msg.Prepare) -> WorkerPool:
        """Return workers for a run of which nothing is to be left on the disk from earlier."""
        place = self._place(order.run)
        for folder in filter(None, (place.folder, place.cache)):
            shutil.rmtree(folder, ignore_errors=True)
        place.folder.mkdir(parents=True, mode=0o700)
        return self._pool(order)

    def _pool(self, order: msg.Prepare) -> WorkerPool:
        roots = self._place(order.run).spool_roots
        return WorkerPool(
            order.code,
            self._data / "apps" / order.bundle,
            self._data / "work" / order.run,
            inputs=tuple(root / "in" for root in roots),
            outputs=tuple(root / "out" for root in roots),
            house=self._house,
        )
