"""One warm worker process: how it is started, spoken to, and ended with all that it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from asyncio import Future, TimerHandle, get_running_loop, shield, timeout
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

import msgspec

from jupiter.agent import worker_main
from jupiter.agent.cells import Cell, Cells, end_tree
from jupiter.agent.printed import Printed, TaskLog
from jupiter.aio.log import line_of
from jupiter.errors import TaskError
from jupiter.model.ids import ItemId
from jupiter.model.messages import TaskCode

START_S_MAX = 60.0
"""A worker that has not loaded its code by then is given up."""
END_S_MAX = 1.0
"""A worker whose socket has closed is dead, and why is known by then; else it is killed."""
SHOWN_BYTES = 2000
"""End of what an attempt printed that goes into the reason of its failure."""
ANSWER_BYTES_MAX = 16 << 20
READ_BYTES = 1 << 16

_SIGNALS = {
    signal.SIGSEGV: "it used memory that is not its own",
    signal.SIGBUS: "it used memory that is not there",
    signal.SIGABRT: "it aborted",
    signal.SIGILL: "it holds instructions that this processor does not have",
    signal.SIGFPE: "it divided by zero",
    signal.SIGXFSZ: "it wrote a file larger than its output limit",
    signal.SIGKILL: "somebody killed it, perhaps as the machine was out of memory",
}


class Request(msgspec.Struct, frozen=True, array_like=True):
    """One attempt, as the worker is told of it."""

    item: ItemId
    attempt: int
    files: list[str]
    pathin: str
    pathout: str


class Answer(msgspec.Struct, array_like=True):
    """How an attempt ended, as the worker says it.

    Attributes:
        outputs: Name, bytes and SHA-256 of each.
        has_printed: Something waits in the pipe.
        error: Why there are none; empty after success.
        number: Of the error of the system behind it, or 0.
        is_program: What was printed belongs to the reason.
        cpu_s: Processor time, where it was asked for.
        idle_s: Time without a processor, and without need for one.
    """

    outputs: list[tuple[str, int, str]] = []
    has_printed: bool = False
    error: str = ""
    traceback: str = ""
    number: int = 0
    is_program: bool = False
    cpu_s: float = 0.0
    idle_s: float = 0.0


class _Ready(msgspec.Struct, array_like=True):
    """The first word of a worker: what its isolation lacks, and why its code cannot be loaded."""

    lacks: list[str]
    error: str = ""
    traceback: str = ""


_ANSWERS = msgspec.json.Decoder(Answer)
_FIRST = msgspec.json.Decoder(_Ready)
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker lives.

    Attributes:
        app_dir: This node's copy of the application; read only.
        inputs: Folders with all input folders of the run; read only.
        outputs: Folders with all output folders of the run.
        temporary: For its temporary files; made, and removed with it.
        python: That runs it.
        environment: All variables that it gets.
        level: Of isolation; see `isolation.seal`.
        output_bytes: Limit of what one attempt writes.
    """

    app_dir: Path
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    temporary: Path
    python: str
    environment: Mapping[str, str]
    level: int
    output_bytes: int


class Worker:
    """One child process.

    Args:
        code: What it runs.
        place: Where.
        cell: What limits it.
        cells: Ends the cell when the process is gone.
        log: Gets standard output and error of the task.
        is_timed: Answers tell the processor time.

    Attributes:
        ready: When the code is loaded: what the isolation lacks.
        gone: When the process is no more.
        end: How it ended, in one line; empty before.
    """

    def __init__(
        self,
        code: TaskCode,
        place: Place,
        cell: Cell,
        cells: Cells,
        log: TaskLog,
        *,
        is_timed: bool = False,
    ) -> None:
        loop = get_running_loop()
        self.place = place
        self._code = code
        self._cell = cell
        self._cells = cells
        self._buffer = b""
        self._unsent = b""
        self._title = "while its code was loaded"
        self._on_end: Callable[[Answer], None] | None = None
        self._reason = ""
        self._oom = 0
        self._closing: TimerHandle | None = None
        self.ready: Future[list[str]] = loop.create_future()
        self.gone: Future[None] = loop.create_future()
        self.is_alive = True
        self.end = ""
        place.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._printed = Printed(log)
        self._socket, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [place.python, "-P", worker_main.__file__, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=self._printed.writing_end,
                stderr=self._printed.writing_end,
                cwd=place.app_dir,
                env=dict(place.environment),
                start_new_session=True,
            )
        except OSError:
            self._printed.close()
            self._socket.close()
            raise
        finally:
            theirs.close()
            self._printed.close_writing_end()
        self._socket.setblocking(False)
        cells.known.add(self._process.pid)
        self._pidfd = os.pidfd_open(self._process.pid)
        loop.add_reader(self._pidfd, self._died)
        loop.add_reader(self._socket, self._readable)
        self._send(_ENCODER.encode(self._setup(is_timed)) + b"\n")

    def _setup(self, is_timed: bool) -> dict[str, object]:
        place, code = self.place, self._code
        return {
            "kind": code.kind,
            "words": code.words,
            "app": str(place.app_dir),
            "level": place.level,
            "groups": self._cell.groups,
            "memory_bytes": code.memory_bytes,
            "output_bytes": place.output_bytes,
            "reads": [*map(str, (place.app_dir, *place.inputs)), *code.reads],
            "writes": [*map(str, (*place.outputs, place.temporary)), *code.writes],
            "is_timed": is_timed,
        }

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def loaded(self) -> list[str]:
        """Wait until the code is loaded; return what the isolation lacks.

        Raises:
            TaskError: It could not be, or took too long.
        """
        try:
            async with timeout(START_S_MAX):
                return await shield(self.ready)
        except TimeoutError:
            self.kill()
            raise TaskError(
                f"the code of task {self._code.task} was not loaded within {START_S_MAX:g} s"
            ) from None

    def run(self, request: Request, on_end: Callable[[Answer], None]) -> None:
        """Start one attempt."""
        self._on_end = on_end
        self._title = f"item {request.item}, attempt {request.attempt}"
        if self.is_alive:
            self._send(_ENCODER.encode(request) + b"\n")
        else:
            self._end(Answer(error=f"the worker {self._reason or 'is gone'}"))

    def kill(self, reason: str = "was killed") -> None:
        """Kill the process and all that it started; an attempt under way fails by it."""
        self._reason = self._reason or reason
        if not self.is_alive:
            return
        self.is_alive = False
        self._cell.kill()
        if self._process.poll() is None:
            end_tree(self._process.pid)

    # -- what happens --------------------------------------------------------------------------

    def _send(self, data: bytes) -> None:
        """Send; what the socket does not take now goes when it can."""
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:  # it has died, and that is told soon
            return
        if sent < len(data):
            self._unsent = data[sent:]
            get_running_loop().add_writer(self._socket, self._send_more)

    def _send_more(self) -> None:
        get_running_loop().remove_writer(self._socket)
        self._send(self._unsent)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            loop = get_running_loop()
            loop.remove_reader(self._socket)
            self._closing = loop.call_later(END_S_MAX, self.kill, "closed its socket")
            return
        self._buffer += data
        if not data.endswith(b"\n"):
            if len(self._buffer) > ANSWER_BYTES_MAX:
                self.kill("said more than can be an answer")
            return
        line, self._buffer = self._buffer, b""
        try:
            if self.ready.done():
                self._answered(_ANSWERS.decode(line))
            else:
                self._load_ended(_FIRST.decode(line))
        except msgspec.DecodeError:
            self.kill("said what is no answer")

    def _load_ended(self, first: _Ready) -> None:
        self._printed.end(self._title)
        if not first.error:
            self.ready.set_result(first.lacks)
            return
        problem = f"the code of task {self._code.task} cannot be loaded: {first.error}"
        self.ready.set_exception(TaskError(problem, first.traceback))
        self.ready.exception()  # whoever waits gets it; nobody may

    def _answered(self, answer: Answer) -> None:
        if answer.has_printed or self._printed.count:
            text = self._printed.end(self._title)
            if answer.is_program and text:
                answer.error += f": {text[-SHOWN_BYTES:].decode(errors='replace').strip()}"
        if answer.error:
            answer.error += self._of_memory()
        self._end(answer)

    def _died(self) -> None:
        """Note the death of the process."""
        loop = get_running_loop()
        if self._process.poll() is None:
            return
        loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        if self.is_alive and self._closing is None:
            self._readable()  # its last words
        if self._closing is not None:
            self._closing.cancel()
        memory = self._of_memory()
        how = _how_it_ended(self._process.returncode, is_explained=bool(memory))
        reason = (self._reason or how) + memory
        self.is_alive = False
        loop.remove_reader(self._socket)
        loop.remove_writer(self._socket)
        self._socket.close()
        text = self._printed.end(self._title)
        shown = text[-SHOWN_BYTES:].decode(errors="replace")
        self._printed.close()
        self._cells.known.discard(self._process.pid)
        self._cells.end(self._cell)
        self._cells.end_orphans()
        rmtree(self.place.temporary, ignore_errors=True)
        if not self.ready.done():
            self.ready.set_exception(
                TaskError(f"the worker of task {self._code.task} {reason}", shown)
            )
            self.ready.exception()
        self.end = line_of(reason)
        self._end(Answer(error=f"the worker {reason}", traceback=shown))
        self.gone.set_result(None)

    def _of_memory(self) -> str:
        """Return that memory was the reason, where it was."""
        count = self._cell.count_oom()
        if count == self._oom:
            return ""
        self._oom = count
        limit = worker_main.said(self._code.memory_bytes)
        return f" (killed as the task used more than its memory of {limit})"

    def _end(self, answer: Answer) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(answer)


def _how_it_ended(code: int | None, *, is_explained: bool) -> str:
    if code is not None and code < 0:
        number = signal.Signals(-code)
        why = "" if is_explained else _SIGNALS.get(number)
        return f"was ended by signal {number.name}" + (f": {why}" if why else "")
    return f"ended with exit code {code}: the code of the task ended its process"
