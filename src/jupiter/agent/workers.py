"""Warm worker processes: one task each, started early, killed with all that they started.

A slower node is emulated here: an attempt that used c seconds of processor and idled d seconds is
held back until ``c * slowdown + d`` seconds have passed. Time spent waiting for a processor of this
machine is not counted, so that emulated nodes disturb each other as little as possible.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from jupiter.aio.clock import monotonic_s
from jupiter.errors import TaskError
from jupiter.model.ids import ItemId, TaskId
from jupiter.model.messages import TaskCode

START_S_MAX = 60.0
"""A worker that has not loaded its code by then is given up."""
LOG_SHOWN_BYTES = 2000
"""End of a task's own output that goes into the reason of a crash."""


class Request(msgspec.Struct, frozen=True, rename={"pathin": "in", "pathout": "out"}):
    """One attempt, as the worker is told of it."""

    item: ItemId
    attempt: int
    files: list[str]
    pathin: str
    pathout: str


class _Answer(msgspec.Struct):
    """What a worker says: at first that it is ready, then the end of each attempt."""

    ready: bool = False
    outputs: list[str] = []
    error: str = ""
    traceback: str = ""
    cpu_s: float = 0.0
    idle_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of one attempt.

    Attributes:
        outputs: Names in the output folder, in order.
        error: Why there are none; empty after success.
        detail: Traceback or the end of the task's own output.
        is_final: Another attempt cannot help.
    """

    outputs: tuple[str, ...] = ()
    error: str = ""
    detail: str = ""
    is_final: bool = False


_DECODER = msgspec.json.Decoder(_Answer)
_ENCODER = msgspec.json.Encoder()


class Worker(asyncio.Protocol):
    """One child process.

    Args:
        code: What it runs.
        app_dir: This node's copy of the application.
        log: Gets standard output and error of the task.
    """

    def __init__(self, code: TaskCode, app_dir: Path, log: IO[bytes]) -> None:
        self._code = code
        self._log = log
        self._buffer = b""
        self._on_end: Callable[[_Answer], None] | None = None
        self._reason = ""
        self._transport: asyncio.WriteTransport | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_alive = True
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "jupiter.agent.worker_main", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=app_dir,
                start_new_session=True,
            )
        finally:
            theirs.close()
        setup = {"kind": code.kind, "words": code.words, "app": str(app_dir)}
        ours.sendall(_ENCODER.encode(setup) + b"\n")
        self._socket = ours

    async def connect(self) -> None:
        """Wait until the code is loaded.

        Raises:
            TaskError: It could not be, or took too long.
        """
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, sock=self._socket)
        try:
            await asyncio.wait_for(asyncio.shield(self.ready), START_S_MAX)
        except TimeoutError:
            self.kill()
            raise TaskError(
                f"the code of task {self._code.task} was not loaded within {START_S_MAX:g} s"
            ) from None

    def run(self, request: Request, on_end: Callable[[_Answer], None]) -> None:
        """Start one attempt."""
        self._on_end = on_end
        if self._transport is None:
            self._answer(_Answer(error=self._reason or "the worker process is gone"))
            return
        self._transport.write(_ENCODER.encode(request) + b"\n")

    def kill(self, reason: str = "killed") -> None:
        """Kill the process and all that it started."""
        self._reason = self._reason or reason
        if self._process.poll() is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                self._process.kill()
        self._process.wait()
        self.is_alive = False

    # -- asyncio.Protocol ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the way to the worker."""
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 - for the type checker
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take in an answer."""
        self._buffer += data
        if not self._buffer.endswith(b"\n"):
            return
        answer, self._buffer = _DECODER.decode(self._buffer), b""
        if self.ready.done():
            self._answer(answer)
        elif answer.ready:
            self.ready.set_result(None)
        else:
            problem = f"the code of task {self._code.task} cannot be loaded: {answer.error}"
            self.ready.set_exception(TaskError(problem, answer.traceback))

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the death of the worker; an attempt under way fails by it."""
        self._transport = None
        self.kill("")
        reason = self._reason or _how_it_ended(self._process.returncode)
        if not self.ready.done():
            self.ready.set_exception(
                TaskError(f"the worker of task {self._code.task} {reason}", self._log_end())
            )
            self.ready.exception()
        self._answer(_Answer(error=f"the worker {reason}", traceback=self._log_end()))

    def _answer(self, answer: _Answer) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(answer)

    def _log_end(self) -> str:
        with Path(self._log.name).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_SHOWN_BYTES))
            return file.read().decode(errors="replace")


class Running:
    """One attempt on a worker, until its end was told.

    Attributes:
        worker: None until it has started, and again when it is free.
        is_killed: Nobody wants to know how it ends.
    """

    __slots__ = ("is_killed", "worker")

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.is_killed = False


class WorkerPool:
    """The workers of one run on one node; those of a task are started when they are needed.

    Args:
        codes: All tasks that may run here.
        app_dir: This node's copy of the application.
        log_dir: Folder for what the tasks print, one file a task.
        slowdown: Times that this node is slower than the machine it is emulated on; 1 or more.
    """

    def __init__(
        self, codes: Iterable[TaskCode], app_dir: Path, log_dir: Path, slowdown: float
    ) -> None:
        self._codes = {code.task: code for code in codes}
        self._app_dir = app_dir
        self._log_dir = log_dir
        self._slowdown = slowdown
        log_dir.mkdir(parents=True, exist_ok=True)
        self._logs: dict[TaskId, IO[bytes]] = {}
        self._idle: dict[TaskId, list[Worker]] = {task: [] for task in self._codes}
        self._all: dict[Worker, TaskId] = {}
        self._jobs: set[asyncio.Task[None]] = set()

    async def start(self, task: TaskId) -> None:
        """Start one worker for a task, unless there is one, and wait until it has loaded its code.

        Raises:
            TaskError: The code of the task cannot be loaded.
        """
        if any(of == task and worker.is_alive for worker, of in self._all.items()):
            return
        worker = self._new(task)
        await worker.connect()
        self._idle[task].append(worker)

    def stop(self, task: TaskId) -> None:
        """Kill the workers of a task; attempts under way on them fail by it."""
        self._idle[task].clear()
        for worker in [worker for worker, of in self._all.items() if of == task]:
            worker.kill("was stopped, as its task has moved to another node")

    def execute(self, task: TaskId, request: Request, on_end: Callable[[Ended], None]) -> Running:
        """Run one attempt on an idle worker, or on a new one."""
        running = Running()
        while self._idle[task]:
            worker = self._idle[task].pop()
            if worker.is_alive:
                self._run_on(worker, running, task, request, on_end)
                return running
        job = asyncio.ensure_future(self._start_and_run(running, task, request, on_end))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return running

    def kill(self, running: Running) -> None:
        """Kill the worker of an attempt; its end is not told."""
        running.is_killed = True
        if running.worker is not None:
            running.worker.kill()

    def close(self) -> None:
        """Kill all workers."""
        for job in self._jobs:
            job.cancel()
        for worker in self._all:
            worker.kill()
        for log in self._logs.values():
            log.close()

    def _new(self, task: TaskId) -> Worker:
        log = self._logs.get(task)
        if log is None:
            log = self._logs[task] = (self._log_dir / f"{task}.log").open("ab")
        worker = Worker(self._codes[task], self._app_dir, log)
        self._all = {each: of for each, of in self._all.items() if each.is_alive}
        self._all[worker] = task
        return worker

    async def _start_and_run(
        self, running: Running, task: TaskId, request: Request, on_end: Callable[[Ended], None]
    ) -> None:
        worker = self._new(task)
        try:
            await worker.connect()
        except TaskError as error:
            if not running.is_killed:
                on_end(Ended(error=str(error), detail=error.detail))
            return
        if running.is_killed:
            self._idle[task].append(worker)
        else:
            self._run_on(worker, running, task, request, on_end)

    def _run_on(
        self,
        worker: Worker,
        running: Running,
        task: TaskId,
        request: Request,
        on_end: Callable[[Ended], None],
    ) -> None:
        start_s = monotonic_s()
        running.worker = worker

        def tell(ended: Ended) -> None:
            if not running.is_killed:
                on_end(ended)

        def end(answer: _Answer) -> None:
            running.worker = None
            if worker.is_alive:
                self._idle[task].append(worker)
            ended = Ended(tuple(answer.outputs), answer.error, answer.traceback)
            wait_s = 0.0
            if self._slowdown > 1:
                due_s = start_s + answer.cpu_s * self._slowdown + answer.idle_s
                wait_s = due_s - monotonic_s()
            if wait_s > 0:
                asyncio.get_running_loop().call_later(wait_s, tell, ended)
            else:
                tell(ended)

        worker.run(request, end)


def _how_it_ended(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was ended by signal {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
