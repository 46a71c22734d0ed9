"""Tasks that misbehave, in real worker processes: limits hold, and nothing of them is left."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from jupiter.agent.cells import Cells, find_trees
from jupiter.agent.environments import Environments
from jupiter.agent.isolation import landlock_abi
from jupiter.agent.printed import KEPT_BYTES
from jupiter.agent.workers import Ended, House, Request, Running, WorkerPool
from jupiter.errors import TaskError
from jupiter.model.ids import ItemId, TaskId
from jupiter.model.items import Part
from jupiter.model.messages import TaskCode

TASK = TaskId("only")
TREES = find_trees()
needs_landlock = pytest.mark.skipif(landlock_abi() < 6, reason="this kernel has no Landlock 6")
needs_groups = pytest.mark.skipif(
    not TREES.memory and "memory" not in TREES.controllers, reason="no control groups of ours here"
)


class Bench:
    """A pool with one task, whose attempts are run one after another."""

    def __init__(self, root: Path, house: House) -> None:
        self.root = root
        self.house = house
        self.pool: WorkerPool
        self._count = 0

    def open(self, code: str, limits: TaskCode | None = None) -> None:
        app = self.root / "app"
        app.mkdir(exist_ok=True)
        (app / "work.py").write_text(textwrap.dedent(code))
        self.pool = WorkerPool(
            [limits or TaskCode(TASK, "function", ("work", "only"))],
            app,
            self.root / "work",
            inputs=(self.root / "in",),
            outputs=(self.root / "out",),
            house=self.house,
        )

    def begin(self) -> tuple[Running, asyncio.Future[Ended]]:
        self._count += 1
        pathin, pathout = (self.root / kind / str(self._count) for kind in ("in", "out"))
        pathin.mkdir()
        pathout.mkdir()
        (pathin / "input").write_text("input")
        ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        request = Request(
            ItemId(str(self._count)), self._count, ["input"], str(pathin), str(pathout)
        )
        return self.pool.execute(TASK, request, ended.set_result), ended

    async def run(self) -> Ended:
        return await asyncio.wait_for(self.begin()[1], 60)

    async def close(self) -> None:
        self.pool.close()
        await asyncio.wait_for(self.pool.closed(), 30)

    def log(self) -> bytes:
        return (self.root / "work" / "logs" / "only.log").read_bytes()


def groups() -> set[str]:
    mine = f"-{os.getpid()}-"
    return {str(p) for f in TREES.folders for p in Path(f).glob("jupiter-*") if mine in p.name}


def descendants() -> set[int]:
    return {p.pid for p in psutil.Process().children(recursive=True)}


def strays(mark: str) -> list[psutil.Process]:
    """Return the processes in whose environment or arguments a text occurs."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values()]
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if process.pid != os.getpid() and any(mark in word for word in words):
            found.append(process)
    return found


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Return a bench; fail the test where processes, groups or files of workers stay."""
    before = descendants()
    bench = Bench(tmp_path, House(Cells(TREES), Environments(tmp_path / "venvs")))
    yield bench
    await bench.close()
    assert descendants() <= before
    assert strays(str(tmp_path)) == []
    assert groups() == set()
    temporary = tmp_path / "work" / "tmp"
    assert not temporary.exists() or list(temporary.iterdir()) == []


def limited(
    memory_bytes: int = 0, output_bytes: int = 0, environment: tuple[str, ...] = ()
) -> TaskCode:
    return TaskCode(
        TASK,
        "function",
        ("work", "only"),
        memory_bytes=memory_bytes,
        output_bytes=output_bytes,
        environment=environment,
    )


def bad_then_good(bad: str) -> str:
    """Return a task whose first attempt on a worker is bad; further ones are good."""
    return f"""
import os, signal, sys, time, threading, subprocess, ctypes
def only(inputs, output_dir):
    if output_dir.name != "1":
        (output_dir / "good").write_text("good")
        return
{textwrap.indent(textwrap.dedent(bad), "    ")}
"""


async def test_outputs_come_with_their_digests(bench: Bench) -> None:
    bench.open("""
        def only(inputs, output_dir):
            (output_dir / "b10").write_bytes(b"x" * (3 << 20))
            (output_dir / "b9").write_text(inputs[0].read_text())
            (output_dir / "é").touch()
        """)
    big = hashlib.sha256(b"x" * (3 << 20)).hexdigest()
    small, empty = hashlib.sha256(b"input").hexdigest(), hashlib.sha256(b"").hexdigest()
    ended = await bench.run()
    assert ended == Ended((Part("b9", 5, small), Part("b10", 3 << 20, big), Part("é", 0, empty)))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("os.symlink('/etc/hostname', output_dir / 'x')", "output 'x' is no regular file"),
        ("os.mkfifo(output_dir / 'x')", "output 'x' is no regular file"),
        ("(output_dir / 'x').mkdir()", "output 'x' is no regular file"),
        (
            "(output_dir / 'x').touch(); os.link(output_dir / 'x', output_dir / 'y')",
            "output 'x' is a hard link to another file; write a copy",
        ),
        ("open(os.fsencode(output_dir) + b'/\\xff', 'w')", "the name of output '?' is no UTF-8"),
        ("return '/etc/hostname'", "which is not in its output folder"),
        ("return ['gone']", "the task returned 'gone' but wrote no such file"),
        ("return 5", "the task returned int; it must return its output paths or None"),
        ("raise ValueError('\\udcff and so on')", "ValueError: ? and so on"),
        ("sys.exit(3)", "SystemExit: the task called sys.exit(3)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("os._exit(7)", "the worker ended with exit code 7: the code of the task ended its"),
        (
            "ctypes.string_at(0)",
            "the worker was ended by signal SIGSEGV: it used memory that is not its own",
        ),
        ("os.kill(os.getpid(), signal.SIGTERM)", "the worker was ended by signal SIGTERM"),
        ("os.close(int(sys.argv[1]))\nthreading.Event().wait(1)", "the worker "),
        ("os.write(int(sys.argv[1]), b'nonsense\\n')\nthreading.Event().wait()", "no answer"),
        ("if not os.fork(): raise ValueError\nos.wait()\nraise OSError(28, 'full')", "OSError"),
    ],
)
async def test_attempt_that_goes_wrong_says_how_and_the_next_one_runs(
    bench: Bench, bad: str, words: str
) -> None:
    bench.open(bad_then_good(bad))
    ended = await bench.run()
    assert words in ended.error
    assert ended.outputs == ()
    assert ended.is_disk_full == ("28" in bad)
    assert [part.name for part in (await bench.run()).outputs] == ["good"]


async def test_traceback_of_an_exception_names_the_line_of_the_task(bench: Bench) -> None:
    bench.open(bad_then_good("raise ValueError('three')"))
    ended = await bench.run()
    assert ended.error == "ValueError: three"
    assert 'work.py", line 7, in only' in ended.detail
    assert "raise ValueError('three')" in ended.detail


async def test_fork_bomb_meets_its_limit_and_is_gone_with_its_worker(bench: Bench) -> None:
    bench.open(
        bad_then_good("""
        try:
            while True:
                if not os.fork():
                    os.setsid()
        finally:
            threading.Event().wait()
        """)
    )
    await bench.pool.start(TASK)
    running, ended = bench.begin()
    worker = running.worker
    assert worker is not None
    for _ in range(100):  # as soon as it has spread
        if len(psutil.Process(worker.pid).children(recursive=True)) > 50:
            break
        await asyncio.sleep(0.05)
    bench.pool.kill(running)
    await asyncio.wait_for(worker.gone, 30)
    await asyncio.wait_for(bench.house.cells.emptied(), 30)
    assert strays(str(bench.root)) == []
    assert not ended.done()
    assert [part.name for part in (await bench.run()).outputs] == ["good"]


async def test_children_that_an_attempt_leaves_are_killed_before_it_is_told(bench: Bench) -> None:
    bench.open(
        bad_then_good("""
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        subprocess.Popen(["sleep", "1000"], start_new_session=True, **quiet)
        subprocess.run(["sh", "-c", "trap '' TERM HUP; setsid sleep 1000 & setsid sleep 1000 &"])
        if not os.fork():
            os.setsid()
            if not os.fork():
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                threading.Event().wait()
            os._exit(0)
        (output_dir / "x").touch()
        """)
    )
    assert [part.name for part in (await bench.run()).outputs] == ["x"]
    (worker,) = descendants() & {p.pid for p in strays(str(bench.root))}
    assert psutil.Process(worker).children() == []
    assert {p.pid for p in strays(str(bench.root))} == {worker}
    assert [part.name for part in (await bench.run()).outputs] == ["good"]


async def test_children_of_the_code_itself_stay(bench: Bench) -> None:
    bench.open("""
        import subprocess
        helper = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        def only(inputs, output_dir):
            subprocess.Popen(["sleep", "1000"])
            helper.stdin.write(b"line\\n")
            helper.stdin.flush()
            (output_dir / "x").write_bytes(helper.stdout.readline())
        """)
    for _ in range(3):
        assert (await bench.run()).outputs[0].size_bytes == 5


@needs_groups
@pytest.mark.parametrize("where", ["itself", "a child"])
async def test_task_over_its_memory_is_killed_and_says_so(bench: Bench, where: str) -> None:
    hog = "bytearray(1 << 30)"
    bad = hog if where == "itself" else f"subprocess.run([{sys.executable!r}, '-c', {hog!r}])"
    bench.open(bad_then_good(f"{bad}\nraise ValueError('after')"), limited(memory_bytes=128 << 20))
    ended = await bench.run()
    assert "(killed as the task used more than its memory of 128 MiB)" in ended.error
    assert [part.name for part in (await bench.run()).outputs] == ["good"]


async def test_memory_is_limited_without_control_groups_too(tmp_path: Path) -> None:
    from jupiter.agent.cells import Trees

    bench = Bench(tmp_path, House(Cells(Trees()), Environments(tmp_path / "venvs")))
    bench.open(bad_then_good("bytearray(2 << 30)"), limited(memory_bytes=1 << 30))
    try:
        assert "MemoryError" in (await bench.run()).error
        assert [part.name for part in (await bench.run()).outputs] == ["good"]
        assert any("the address space is limited instead" in lack for lack in bench.pool.lacks)
    finally:
        await bench.close()


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("open(output_dir / 'x', 'wb').write(bytes(3 << 20))", "wrote 2 MiB, and its limit is 2"),
        ("os.truncate(os.open(output_dir / 'x', 65), 1 << 40)", "File too large (the attempt wr"),
        (
            "for k in range(4): (output_dir / str(k)).write_bytes(bytes(1 << 20))",
            "the attempt wrote 4 MiB, and its limit is 2 MiB",
        ),
        (
            "for k in range(4): (output_dir / str(k)).write_bytes(bytes(1 << 20))\n"
            "threading.Event().wait()",
            "the worker was killed: the attempt had written ",
        ),
        (
            "for k in range(10001): (output_dir / str(k)).touch()\nthreading.Event().wait()",
            "the attempt had written more than 10000 files",
        ),
        ("for k in range(10001): (output_dir / str(k)).touch()", "10001 files; at most 10000"),
    ],
)
async def test_output_beyond_its_limit_is_a_failure_with_both_numbers(
    bench: Bench, bad: str, words: str
) -> None:
    bench.open(bad_then_good(bad), limited(output_bytes=2 << 20))
    assert words in (await bench.run()).error
    assert [part.name for part in (await bench.run()).outputs] == ["good"]


async def test_first_and_last_of_a_flood_of_output_are_kept_and_the_agent_goes_on(
    bench: Bench,
) -> None:
    bench.open(
        bad_then_good("""
        os.write(1, b"first words\\n")
        for _ in range(1024):
            os.write(1, b"0123456789abcde\\n" * 65536)
        print("last words", file=sys.stderr)
        """)
    )
    ticks = 0
    ended = bench.begin()[1]
    while not ended.done():
        await asyncio.sleep(0.001)
        ticks += 1
    assert not ended.result().error
    assert ticks > 100
    log = bench.log()
    assert log.startswith(b"--- item 1, attempt 1\nfirst words\n")
    assert log.endswith(b"last words\n")
    left_out = 12 + (1 << 30) + 11 - KEPT_BYTES
    assert f"[… {left_out} bytes left out …]".encode() in log
    assert len(log) < KEPT_BYTES + 200
    assert not (await bench.run()).error
    assert bench.log() == log


async def test_what_a_program_prints_says_why_it_failed(bench: Bench) -> None:
    words = ("sh", "-c", "echo it was the cat >&2; exit 3")
    bench.open("", TaskCode(TASK, "command", words))
    assert (await bench.run()).error == "sh ended with exit code 3: it was the cat"
    assert bench.log() == b"--- item 1, attempt 1\nit was the cat\n"


@needs_landlock
@pytest.mark.parametrize(
    "bad",
    [
        "open(inputs[0], 'w')",
        "inputs[0].unlink()",
        "os.link(inputs[0], output_dir / 'x')",
        "open(os.path.join(os.getcwd(), 'work.py'), 'a')",
        "(output_dir.parent.parent / 'outside').touch()",
        "open('/tmp/outside', 'w')",
        "(output_dir.parent.parent / 'journal').read_text()",
        "os.listdir(output_dir.parent.parent)",
        "open('/etc/shadow').read()",
        "open(f'/proc/{os.getppid()}/environ').read()",
        "os.kill(os.getppid(), 0)",
        "os.chown(output_dir, 12345, 12345)",
        "os.setuid(12345)",
        "open('/proc/self/oom_score_adj', 'w').write('-1000')",
    ],
)
async def test_what_is_not_the_tasks_is_out_of_reach(bench: Bench, bad: str) -> None:
    (bench.root / "journal").write_text("secret")
    bench.open(bad_then_good(bad))
    error = (await bench.run()).error
    assert error.startswith(("PermissionError: ", "OSError: [Errno 18]"))
    assert sorted(p.name for p in bench.root.iterdir()) == ["app", "in", "journal", "out", "work"]
    assert (bench.root / "in" / "1" / "input").read_text() == "input"


@needs_landlock
async def test_what_tasks_need_is_in_reach(bench: Bench) -> None:
    bench.open(
        """
        import json, multiprocessing, numpy, os, shutil, socket, ssl, subprocess, tempfile, zoneinfo
        from concurrent.futures import ProcessPoolExecutor
        def only(inputs, output_dir):
            assert numpy.ones(3).sum() == 3
            with tempfile.NamedTemporaryFile(delete=False) as file:
                file.write(b"temporary")
            shutil.move(file.name, output_dir / "moved")
            os.replace(output_dir / "moved", output_dir / "x")
            tempfile.mkdtemp()
            with ProcessPoolExecutor(1) as pool:
                assert pool.submit(abs, -1).result() == 1
            assert subprocess.run(["sh", "-c", "ls / > /dev/null; env | sort"], check=True)
            assert "SECRET" not in os.environ and os.environ["GIVEN"] == "1"
            socket.getaddrinfo("localhost", 80)
            ssl.create_default_context()
            assert os.listdir(os.environ["TMPDIR"]), "the temporary folder of the attempt"
            assert len(os.listdir(os.environ["TMPDIR"])) < 3, "that of the one before is gone"
            umask = os.umask(0o77)
            assert umask == 0o77
        """,
        limited(environment=("GIVEN",)),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET", "x")
        patch.setenv("GIVEN", "1")
        for _ in range(3):
            ended = await bench.run()
            assert (ended.error, ended.detail) == ("", "")
    assert bench.pool.lacks == ()


async def test_burst_of_short_attempts_starts_no_needless_process(bench: Bench) -> None:
    bench.open("def only(inputs, output_dir):\n    return []\n")
    await bench.pool.start(TASK)
    before = descendants()
    for _ in range(50):
        both = bench.begin()[1], bench.begin()[1]
        assert [(await each).error for each in both] == ["", ""]
    assert len(descendants() - before) <= 1


async def test_long_attempts_run_side_by_side(bench: Bench) -> None:
    bench.open("""
        import socket
        def only(inputs, output_dir):
            with socket.socket(socket.AF_UNIX) as meeting:
                address = str(output_dir.parent / "meeting")
                try:
                    meeting.bind(address)
                except OSError:
                    meeting.connect(address)
                    return []
                meeting.listen()
                meeting.accept()
            return []
        """)
    both = bench.begin()[1], bench.begin()[1]
    assert [(await asyncio.wait_for(each, 60)).error for each in both] == ["", ""]


async def test_isolation_that_is_demanded_and_not_to_be_had_stops_the_task(tmp_path: Path) -> None:
    from jupiter.agent.cells import Trees

    house = House(Cells(Trees()), Environments(tmp_path / "venvs"), is_demanded=True)
    bench = Bench(tmp_path, house)
    bench.open("def only(inputs, output_dir): pass")
    with pytest.raises(TaskError, match="task only may not run here: no control group limits pr"):
        await bench.pool.start(TASK)
    await bench.close()


KILLED_AGENT = """
import os, signal
from jupiter.agent.cells import Cells, find_trees
from jupiter.agent.isolation import _enter
cell = Cells(find_trees()).new(10, 1 << 26)
if not os.fork():
    os.setsid()
    _enter(cell.groups, 1 << 26)
    print(os.getpid(), *[folder for folder, _ in cell.groups], flush=True)
    os.close(1)
    signal.pause()
os.wait()
"""


def test_groups_of_an_agent_that_was_killed_are_removed_with_what_is_in_them() -> None:
    if not TREES.pids and not TREES.unified:
        pytest.skip("no control groups of ours here")
    argv = [sys.executable, "-c", KILLED_AGENT]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid, *folders = process.stdout.readline().split()
        assert all(Path(folder).is_dir() for folder in folders)
        stray = psutil.Process(int(pid))
        cells = Cells(TREES)
        asyncio.run(swept(cells))
        assert stray.is_running(), "its agent lives"
        process.kill()
    assert asyncio.run(swept(cells)) >= len(folders)
    assert not any(Path(folder).exists() for folder in folders)
    assert not stray.is_running() or stray.status() == psutil.STATUS_ZOMBIE


async def swept(cells: Cells) -> int:
    count = cells.sweep()
    await asyncio.wait_for(cells.emptied(), 30)
    return count
