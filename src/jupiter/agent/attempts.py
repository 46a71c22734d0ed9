"""The attempts of one run on one node: started on workers, limited in time, ended or killed."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jupiter.agent.facts import FactBook
from jupiter.agent.journal import FULL
from jupiter.agent.spool import Spool
from jupiter.agent.status import Tally
from jupiter.agent.workers import Ended, Request, Running, WorkerPool
from jupiter.aio.clock import monotonic_s
from jupiter.aio.failpoints import hit
from jupiter.aio.log import line_of
from jupiter.errors import TaskError, TransferError
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import messages as msg
from jupiter.model.ids import ItemId, TaskId
from jupiter.model.items import Attempt, Part

Key = tuple[TaskId, ItemId, Attempt]
IsDamaged = Callable[[TaskId, ItemId, str, Sequence[tuple[str, Part]]], bool]
UNKNOWN_BYTES = 1 << 40
"""What a task may write whose outputs nobody has seen yet."""


class _Attempt:
    """An attempt under way."""

    __slots__ = ("execute_s", "folder", "input_name", "limit", "run", "running")

    def __init__(self, run: act.Run, folder: str, input_name: str) -> None:
        self.run = run
        self.folder = folder
        self.input_name = input_name
        self.execute_s = monotonic_s()
        self.running: Running | None = None
        self.limit: asyncio.TimerHandle | None = None


@dataclass(frozen=True)
class Reports:
    """Who hears of attempts.

    Attributes:
        facts: For home.
        tally: Counts them.
        log: For what goes wrong.
        tell: Gives an event to the machines.
    """

    facts: FactBook
    tally: Tally
    log: Any
    tell: Callable[[ev.Event], None]


class Attempts:
    """The attempts under way.

    Args:
        order: Of the run.
        spool: Their files.
        pool: Their workers.
        reports: Who hears of them.
        is_damaged: Looks at inputs from before a restart, and says so where they cannot be used.
    """

    def __init__(
        self,
        order: msg.Prepare,
        spool: Spool,
        pool: WorkerPool,
        reports: Reports,
        is_damaged: IsDamaged,
    ) -> None:
        self._spool = spool
        self._pool = pool
        self._reports = reports
        self._is_damaged = is_damaged
        self._open: dict[Key, _Attempt] = {}
        # What the last attempt of each task has written, to guess what the next will.
        self._output_bytes: dict[TaskId, int] = {}
        # What they write to files in memory would count against their limit.
        self._limited = {code.task for code in order.code if code.memory_bytes}

    def run(self, run: act.Run) -> None:
        """Start an attempt."""
        spool, tell = self._spool, self._reports.tell
        epoch = run.inputs[0].epoch
        try:
            names = spool.input_names(run.task, run.inputs)
        except TransferError as error:
            tell(ev.Damaged(run.item, run.task, str(error)))
            return
        inputs_folder = spool.input_folder(run.task, run.item, epoch)
        if spool.has_unchecked:
            parts = [part for each in run.inputs for part in each.parts]
            stored = list(zip(names, parts, strict=True))
            if self._is_damaged(run.task, run.item, inputs_folder, stored):
                return
        hit("attempt.run")
        try:
            folder = spool.new_folder("out", self._output_bytes.get(run.task, UNKNOWN_BYTES))
        except OSError as problem:
            tell(_failed_by(run, problem))
            return
        request = Request(run.item, run.attempt[1], names, inputs_folder, folder)
        attempt = _Attempt(run, folder, names[0] if names else "")
        self._open[run.task, run.item, run.attempt] = attempt
        attempt.running = self._pool.execute(
            run.task, request, lambda ended: self._ended(attempt, ended)
        )

    def limit(self, timer: ev.Timer, delay_s: float) -> None:
        """Say when an attempt has run for too long."""
        # There is a limit for every attempt, and hardly any of them is reached.
        attempt = self._open.get((timer.task, timer.item, timer.attempt))
        if attempt is not None:
            loop = asyncio.get_running_loop()
            attempt.limit = loop.call_later(delay_s, self._reports.tell, ev.Due(timer))

    def kill(self, kill: act.Kill) -> None:
        """End an attempt that no longer counts."""
        attempt = self._forget(kill.task, kill.item, kill.attempt)
        if attempt is None or attempt.running is None:
            return
        self._pool.kill(attempt.running)
        self._spool.discard(attempt.folder)
        error = "the attempt was killed: it ran too long, or no longer counted"
        self._note(attempt, (), error)

    def stop(self) -> None:
        """Forget the limits."""
        for attempt in self._open.values():
            if attempt.limit is not None:
                attempt.limit.cancel()

    def _ended(self, attempt: _Attempt, ended: Ended) -> None:
        run = attempt.run
        hit("attempt.end")
        self._forget(run.task, run.item, run.attempt)
        parts: tuple[Part, ...] = ()
        error = ended.error
        if not error:
            try:
                parts = self._spool.keep_outputs(run.task, run.item, attempt.folder, ended.outputs)
            except TaskError as problem:
                error = str(problem)
        self._note(attempt, parts, error, ended.detail)
        if error:
            self._output_bytes.pop(run.task, None)
            self._spool.discard(attempt.folder)
            failed = ev.Failed(
                run.item, run.task, run.attempt, error, ended.is_final, ended.is_disk_full
            )
            self._reports.tell(failed)
            return
        if run.task not in self._limited:
            self._output_bytes[run.task] = sum([part.size_bytes for part in parts])
        hit("outputs.kept")
        self._reports.tell(ev.Finished(run.item, run.task, run.attempt, parts))

    def _note(
        self, attempt: _Attempt, parts: tuple[Part, ...], error: str, detail: str = ""
    ) -> None:
        run, reports = attempt.run, self._reports
        reports.tally.attempt(run.task, run.item, monotonic_s() - attempt.execute_s, error)
        reports.facts.attempt(
            run,
            execute_s=attempt.execute_s,
            input_name=attempt.input_name,
            parts=parts,
            error=f"{error}\n{detail}".strip() if error else "",
        )
        if error:
            fields = {"task": run.task, "item": run.item, "attempt": run.attempt[1]}
            reports.log.warning("attempt.failed", reason=line_of(error), **fields)

    def _forget(self, task: TaskId, item: ItemId, number: Attempt) -> _Attempt | None:
        attempt = self._open.pop((task, item, number), None)
        if attempt is not None and attempt.limit is not None:
            attempt.limit.cancel()
        return attempt


def _failed_by(run: act.Run, problem: OSError) -> ev.Failed:
    """Return the end of an attempt that this node's disk is to blame for."""
    reason = f"node cannot store its outputs: {os.strerror(problem.errno or errno.EIO)}"
    return ev.Failed(run.item, run.task, run.attempt, reason, is_ours=problem.errno in FULL)
