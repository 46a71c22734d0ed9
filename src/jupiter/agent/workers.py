"""Warm worker processes: one task each, started when needed, killed with all that they started.

A slower node is emulated here: an attempt that used c seconds of processor and idled d seconds is
held back until ``c * slowdown + d`` seconds have passed. Time spent waiting for a processor of this
machine is not counted, so that emulated nodes disturb each other as little as possible.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from jupiter.agent.cells import Cells
from jupiter.agent.environments import Environments, variables
from jupiter.agent.isolation import PROCESSES_MAX
from jupiter.agent.printed import TaskLog
from jupiter.agent.worker import Answer, Place, Request, Worker
from jupiter.agent.worker_main import FILES_MAX, said
from jupiter.aio.clock import monotonic_s
from jupiter.aio.log import get_log
from jupiter.errors import TaskError
from jupiter.model.ids import TaskId
from jupiter.model.items import Part
from jupiter.model.messages import TaskCode

__all__ = ["Ended", "House", "Request", "Running", "WorkerPool"]

OUTPUT_BYTES = 16 << 30
"""Limit of what an attempt writes where its task names none."""
WATCH_S = 0.25
"""Time between two looks at what attempts under way have written."""
PATIENCE_S = 0.02
"""A task with workers gets a further one when an attempt has waited so long for one of them; most
are free again before a new one has started."""
_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of one attempt.

    Attributes:
        outputs: Files in the output folder, in order, with their digests.
        error: Why there are none; empty after success.
        detail: Traceback or the end of the task's own output.
        is_final: Another attempt cannot help.
        is_disk_full: This node's disk is, or its share of it: not the task's fault.
    """

    outputs: tuple[Part, ...] = ()
    error: str = ""
    detail: str = ""
    is_final: bool = False
    is_disk_full: bool = False


class Running:
    """One attempt, until its end was told.

    Attributes:
        worker: None until it has started, and again when it is free.
        is_killed: Nobody wants to know how it ends.
    """

    __slots__ = ("_on_end", "is_killed", "request", "start_s", "worker")

    def __init__(self, request: Request, on_end: Callable[[Ended], None]) -> None:
        self.request = request
        self._on_end = on_end
        self.start_s = 0.0
        self.worker: Worker | None = None
        self.is_killed = False

    def tell(self, ended: Ended) -> None:
        """Say how it ended, unless nobody wants to know."""
        if not self.is_killed:
            self._on_end(ended)


@dataclass(frozen=True)
class House:
    """What all workers of an agent share.

    Attributes:
        cells: Control groups around them.
        environments: Where packages are installed that tasks require.
        level: Of isolation.
        is_demanded: A worker that lacks a part of it may not run.
        slowdown: Times that this node is slower than the machine it is emulated on; 1 or more.
        cache_bytes: Of outputs that may lie in memory; the kernel counts them as the worker's.
    """

    cells: Cells
    environments: Environments
    level: int = 1
    is_demanded: bool = False
    slowdown: float = 1.0
    cache_bytes: int = 0


@dataclass(eq=False)
class _Crew:
    """The workers of one task."""

    code: TaskCode
    log: TaskLog
    python: str = ""
    idle: list[Worker] = field(default_factory=list)
    alive: set[Worker] = field(default_factory=set)
    waiting: deque[Running] = field(default_factory=deque)
    starting: int = 0
    timer: asyncio.TimerHandle | None = None


class WorkerPool:
    """The workers of one run on one node; those of a task are started when they are needed.

    Args:
        codes: All tasks that may run here.
        app_dir: This node's copy of the application.
        folder: For what the tasks print, one file a task, and their temporary files.
        inputs: Folders with all input folders of the run, which workers may read.
        outputs: Folders with all output folders of the run, which workers may write.
        house: What they share with other runs.
    """

    def __init__(
        self,
        codes: Iterable[TaskCode],
        app_dir: Path,
        folder: Path,
        *,
        inputs: tuple[Path, ...],
        outputs: tuple[Path, ...],
        house: House,
    ) -> None:
        logs = folder / "logs"
        for each in (logs, *inputs, *outputs):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._crews = {code.task: _Crew(code, TaskLog(logs / f"{code.task}.log")) for code in codes}
        # The working folder of workers is another than the agent's.
        self._app_dir = app_dir.absolute()
        self._folder = folder.absolute()
        self._inputs = tuple([each.absolute() for each in inputs])
        self._outputs = tuple([each.absolute() for each in outputs])
        self._house = house
        self._count = 0
        self._log = get_log(run=folder.name)
        self._busy: dict[Worker, Running] = {}
        self._watching: asyncio.TimerHandle | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        self.lacks: tuple[str, ...] = ()
        """What the isolation of the workers lacks on this node, one sentence each."""

    async def start(self, task: TaskId) -> None:
        """Start one worker for a task, unless there is one, and wait until it has loaded its code.

        Raises:
            TaskError: The code of the task cannot be loaded, or what it requires is not to be had.
        """
        crew = self._crews[task]
        if not crew.alive:
            self._free(crew, await self._new(crew))

    def stop(self, task: TaskId) -> None:
        """Kill the workers of a task; attempts under way on them fail by it."""
        crew = self._crews[task]
        crew.idle.clear()
        for worker in list(crew.alive):
            worker.kill("was stopped, as its task has moved to another node")

    def execute(self, task: TaskId, request: Request, on_end: Callable[[Ended], None]) -> Running:
        """Run one attempt on an idle worker, on the first that gets free, or on a new one."""
        running = Running(request, on_end)
        crew = self._crews[task]
        while crew.idle:
            worker = crew.idle.pop()
            if worker.is_alive:
                self._run_on(crew, worker, running)
                return running
        crew.waiting.append(running)
        if not crew.alive:
            self._grow(crew)
        elif crew.timer is None:
            crew.timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._grow, crew)
        return running

    def kill(self, running: Running) -> None:
        """Kill the worker of an attempt; its end is not told."""
        running.is_killed = True
        if running.worker is not None:
            running.worker.kill()

    def close(self) -> None:
        """Kill all workers; `Cells.emptied` tells when all that they started is gone."""
        if self._watching is not None:
            self._watching.cancel()
        for job in self._jobs:
            job.cancel()
        for crew in self._crews.values():
            if crew.timer is not None:
                crew.timer.cancel()
            crew.waiting.clear()
            for worker in crew.alive:
                worker.kill()

    def counts(self) -> dict[TaskId, int]:
        """Return the processes of every task."""
        return {task: len(crew.alive) for task, crew in self._crews.items() if crew.alive}

    async def closed(self) -> None:
        """Wait until all workers are gone that were killed."""
        alive = [worker.gone for crew in self._crews.values() for worker in crew.alive]
        await asyncio.gather(*alive)
        await self._house.cells.emptied()

    # -- more and fewer ------------------------------------------------------------------------

    def _grow(self, crew: _Crew) -> None:
        """Start as many workers as attempts wait for one."""
        crew.timer = None
        crew.waiting = deque([each for each in crew.waiting if not each.is_killed])
        for _ in range(len(crew.waiting) - crew.starting):
            crew.starting += 1
            job = asyncio.ensure_future(self._start_for(crew))
            self._jobs.add(job)
            job.add_done_callback(self._jobs.discard)

    async def _start_for(self, crew: _Crew) -> None:
        try:
            worker = await self._new(crew)
        except (TaskError, OSError) as error:
            crew.starting -= 1
            detail = error.detail if isinstance(error, TaskError) else ""
            running = _next(crew)
            if running is not None:
                running.tell(Ended(error=str(error), detail=detail))
            return
        crew.starting -= 1
        self._free(crew, worker)

    async def _new(self, crew: _Crew) -> Worker:
        """Start a worker and wait until it has loaded its code.

        Raises:
            TaskError: It could not.
        """
        house, code = self._house, crew.code
        python = await house.environments.python_for(code.requirements)
        self._count += 1
        temporary = self._folder / "tmp" / str(self._count)
        place = Place(
            app_dir=self._app_dir,
            inputs=self._inputs,
            outputs=self._outputs,
            temporary=temporary,
            python=python,
            environment=variables(code, python, temporary, is_clean=house.level > 0),
            level=house.level,
            output_bytes=code.output_bytes or OUTPUT_BYTES,
        )
        memory_bytes = code.memory_bytes and code.memory_bytes + house.cache_bytes
        cell = house.cells.new(PROCESSES_MAX, memory_bytes, code.cores)
        worker = Worker(code, place, cell, house.cells, crew.log, is_timed=house.slowdown > 1)
        crew.alive.add(worker)
        log = self._log.bind(task=code.task, pid=worker.pid)
        log.info("worker.started", level_of_isolation=house.level)

        def gone(_: asyncio.Future[None]) -> None:
            crew.alive.discard(worker)
            log.info("worker.ended", reason=worker.end)
            house.environments.leave(python)

        worker.gone.add_done_callback(gone)
        lacks = await worker.loaded()
        if lacks and house.is_demanded:
            worker.kill()
            raise TaskError(f"task {code.task} may not run here: {'; '.join(lacks)}")
        self.lacks = tuple(dict.fromkeys((*self.lacks, *lacks)))
        return worker

    def _free(self, crew: _Crew, worker: Worker) -> None:
        """Give a worker the next attempt that waits, or let it rest."""
        if not worker.is_alive:
            self._grow(crew)
            return
        running = _next(crew)
        if running is None:
            crew.idle.append(worker)
        else:
            self._run_on(crew, worker, running)

    # -- attempts ------------------------------------------------------------------------------

    def _run_on(self, crew: _Crew, worker: Worker, running: Running) -> None:
        running.start_s = monotonic_s()
        running.worker = worker
        self._busy[worker] = running
        if self._watching is None:
            self._watching = asyncio.get_running_loop().call_later(WATCH_S, self._watch)
        worker.run(running.request, lambda answer: self._ended(crew, worker, running, answer))

    def _ended(self, crew: _Crew, worker: Worker, running: Running, answer: Answer) -> None:
        running.worker = None
        del self._busy[worker]
        if answer.error:
            ended = Ended(
                error=answer.error,
                detail=answer.traceback,
                is_disk_full=answer.number in _DISK_FULL,
            )
        else:
            ended = Ended(tuple([Part(*each) for each in answer.outputs]))
        if self._house.slowdown > 1:
            due_s = running.start_s + answer.cpu_s * self._house.slowdown + answer.idle_s
            wait_s = due_s - monotonic_s()
            if wait_s > 0:
                asyncio.get_running_loop().call_later(wait_s, running.tell, ended)
                self._free(crew, worker)
                return
        running.tell(ended)
        self._free(crew, worker)

    def _watch(self) -> None:
        """Kill the workers of attempts that have written too much; short ones are not looked at."""
        self._watching = None
        before_s = monotonic_s() - WATCH_S
        for worker, running in list(self._busy.items()):
            if running.start_s > before_s:
                continue
            limit = worker.place.output_bytes
            written, files = _written(
                (running.request.pathout, str(worker.place.temporary)), limit, FILES_MAX
            )
            if written > limit:
                what = f"{said(written)}, and its limit is {said(limit)}"
            elif files > FILES_MAX:
                what = f"more than {FILES_MAX} files"
            else:
                continue
            worker.kill(f"was killed: the attempt had written {what}")
        if self._busy:
            self._watching = asyncio.get_running_loop().call_later(WATCH_S, self._watch)


def _next(crew: _Crew) -> Running | None:
    """Return the attempt that has waited longest, if any."""
    while crew.waiting:
        running = crew.waiting.popleft()
        if not running.is_killed:
            return running
    return None


def _written(folders: Iterable[str], bytes_max: int, files_max: int) -> tuple[int, int]:
    """Return bytes and files under folders; what is beyond a limit is not counted."""
    total = files = 0
    left = list(folders)
    while left and total <= bytes_max and files <= files_max:
        try:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    files += 1
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
                    if files > files_max:
                        break
        except OSError:  # it was removed meanwhile
            continue
    return total, files
